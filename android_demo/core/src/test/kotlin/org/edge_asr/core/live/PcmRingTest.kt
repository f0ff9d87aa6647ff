package org.edge_asr.core.live

import kotlin.concurrent.thread
import org.junit.Assert.assertEquals
import org.junit.Test

class PcmRingTest {
    private fun PcmRing.put(vararg samples: Int) = put(ShortArray(samples.size) { samples[it].toShort() }, samples.size)

    private fun PcmRing.take(room: Int): List<Int> {
        val pcm = ShortArray(room)
        val count = take(pcm)
        return pcm.take(maxOf(0, count)).map(Short::toInt)
    }

    @Test
    fun `samples come out in their order, across the end of the ring`() {
        val ring = PcmRing(5)
        ring.put(1, 2, 3, 4)
        assertEquals(listOf(1, 2, 3), ring.take(3))
        ring.put(5, 6, 7, 8)
        assertEquals(listOf(4, 5, 6, 7, 8), ring.take(9))
        assertEquals(0, ring.lostSamples)
    }

    @Test
    fun `what finds no room is lost, and counted`() {
        val ring = PcmRing(3)
        ring.put(1, 2)
        ring.put(3, 4, 5)
        assertEquals(2, ring.lostSamples)
        assertEquals(listOf(1, 2, 3), ring.take(9))
    }

    @Test
    fun `after the end comes the rest, and nothing that is put later`() {
        val ring = PcmRing(3)
        ring.put(1, 2)
        ring.end()
        ring.put(3)
        assertEquals(listOf(1, 2), ring.take(9))
        assertEquals(PcmRing.END, ring.take(ShortArray(9)))
        assertEquals(0, ring.lostSamples)
    }

    @Test(timeout = 10_000)
    fun `the one who takes waits for the one who puts`() {
        val ring = PcmRing(64)
        val sent = 10_000
        val microphone = thread {
            for (sample in 0 until sent) {
                ring.put(sample)
                if (sample % 32 == 31) Thread.sleep(0, 200_000)
            }
            ring.end()
        }
        val heard = mutableListOf<Short>()
        val block = ShortArray(7)
        while (true) {
            val count = ring.take(block)
            if (count == PcmRing.END) break
            heard += block.take(count)
        }
        microphone.join()
        assertEquals(sent.toLong(), heard.size + ring.lostSamples)
        assertEquals(heard.sorted(), heard)
    }
}
