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
    private val ended = lock.newCondition()
    private val taken = ArrayList<Reading>()
    private var ending = false
    private val thread = Thread(::run, "energy samples").apply { isDaemon = true }

    fun start() = thread.start()

    /** What was read, in order. Waits for the last reading, but not for ever. */
    fun stop(): List<Reading> {
        lock.withLock {
            ending = true
            ended.signalAll()
        }
        thread.join(LAST_WITHIN_MS)
        return lock.withLock { taken.toList() }
    }

    private fun run() {
        var last = false
        while (true) {
            val reading = try {
                read()
            } catch (_: RuntimeException) {
                return
            }
            lock.withLock {
                if (reading != null) taken.add(reading)
                if (last) return
                if (!ending) ended.await((1e3 * intervalS).toLong(), TimeUnit.MILLISECONDS)
                last = ending
            }
        }
    }

    private companion object {
        const val LAST_WITHIN_MS = 5_000L
    }
}
