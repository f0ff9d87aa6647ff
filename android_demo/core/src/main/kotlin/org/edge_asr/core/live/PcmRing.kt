package org.edge_asr.core.live

import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Samples between the thread that reads the microphone, which must never wait for the other, and the one that recognizes.
 * Where the second falls behind by more than [capacity] samples, the newest are lost, and counted.
 */
class PcmRing(private val capacity: Int) {
    private val samples = ShortArray(capacity)
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private var start = 0
    private var filled = 0
    private var ended = false
    private var lost = 0L

    val lostSamples: Long get() = lock.withLock { lost }

    /** Takes the first [count] of [pcm] as far as there is room; after [end] nothing. */
    fun put(pcm: ShortArray, count: Int) {
        lock.withLock {
            if (ended) return
            val taken = minOf(count, capacity - filled)
            val end = (start + filled) % capacity
            val straight = minOf(taken, capacity - end)
            pcm.copyInto(samples, end, 0, straight)
            pcm.copyInto(samples, 0, straight, taken)
            filled += taken
            lost += count - taken
            changed.signalAll()
        }
    }

    /** Moves what is there into [pcm], as far as it has room, and waits where nothing is. [END]: it ended and is empty. */
    fun take(pcm: ShortArray): Int {
        lock.withLock {
            while (filled == 0 && !ended) changed.await()
            if (filled == 0) return END
            val count = minOf(filled, pcm.size)
            val straight = minOf(count, capacity - start)
            samples.copyInto(pcm, 0, start, start + straight)
            samples.copyInto(pcm, straight, 0, count - straight)
            start = (start + count) % capacity
            filled -= count
            return count
        }
    }

    /** Nothing more will come: [take] gives out the rest, then [END]. */
    fun end() {
        lock.withLock {
            ended = true
            changed.signalAll()
        }
    }

    companion object {
        const val END = -1
    }
}
