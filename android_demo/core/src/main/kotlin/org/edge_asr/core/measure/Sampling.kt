package org.edge_asr.core.measure

import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Calls [read] every [intervalS] on a thread of its own, first at the start and last at the end, and keeps what it returns
 * unless that is null. A [read] that throws ends the sampling: the gap shows.
 */
class Sampling<Reading : Any>(private val intervalS: Double, private val read: () -> Reading?) {
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private val taken = ArrayList<Reading>()
    private var ending = false
    private var over = false
    private var enough: (Reading) -> Boolean = { true }
    private val thread = Thread(::run, "energy samples").apply { isDaemon = true }

    /** Waits for the first reading, but not for ever: what is measured must not begin before it. */
    fun start() {
        thread.start()
        lock.withLock { waitWhile { taken.isEmpty() && !over } }
    }

    /** What was read, in order. Goes on until the last reading is [enough], but not for ever. */
    fun stop(enough: (Reading) -> Boolean = { true }): List<Reading> = lock.withLock {
        this.enough = enough
        ending = true
        changed.signalAll()
        waitWhile { !over }
        over = true
        taken.toList()
    }

    private fun run() {
        try {
            while (true) {
                val last = lock.withLock { ending }
                val reading = read()
                lock.withLock {
                    if (over) return
                    if (reading != null) taken.add(reading)
                    changed.signalAll()
                    if (last && (reading == null || enough(reading))) return
                    if (ending == last) changed.await((1e3 * intervalS).toLong(), TimeUnit.MILLISECONDS)
                }
            }
        } catch (_: RuntimeException) {
            return
        } finally {
            lock.withLock {
                over = true
                changed.signalAll()
            }
        }
    }

    private inline fun waitWhile(condition: () -> Boolean) {
        var leftNs = TimeUnit.SECONDS.toNanos(WAIT_S)
        while (condition() && leftNs > 0) leftNs = changed.awaitNanos(leftNs)
    }

    private companion object {
        const val WAIT_S = 5L
    }
}
