package org.edge_asr.core.strip

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class StripLayoutTest {
    private val layout = StripLayout(widthPx = 20f, pitchPx = 4f, frameS = 0.5)

    private fun frames(bits: String, shown: Double): List<String> {
        val strip = GateStrip(layout.frames) + BooleanArray(bits.length) { bits[it] == '#' }
        val seen = mutableListOf<String>()
        layout.eachFrame(strip, shown) { left, kept -> seen += "${if (kept) "#" else "."}$left" }
        return seen
    }

    private fun seconds(shown: Double): List<String> {
        val seen = mutableListOf<String>()
        layout.eachSecond(shown) { x, second -> seen += "$second@$x" }
        return seen
    }

    @Test
    fun `the newest frame ends at the right edge`() {
        assertEquals(listOf("#16.0", ".12.0", ".8.0"), frames("..#", shown = 3.0))
    }

    @Test
    fun `a frame that is half in is half seen`() {
        assertEquals(listOf("#18.0", ".14.0", ".10.0"), frames("..#", shown = 2.5))
    }

    @Test
    fun `frames that have not come in are not drawn`() {
        assertEquals(listOf(".16.0"), frames(".##", shown = 1.0))
        assertEquals(emptyList<String>(), frames("###", shown = 0.0))
    }

    @Test
    fun `it remembers as many frames as can be seen at any moment`() {
        for (tenth in 60..70) {
            val shown = tenth / 10.0
            val lefts = frames(".######", shown).map { it.drop(1).toFloat() }
            assertTrue("a hole on the left at $shown: $lefts", lefts.last() <= 0f)
        }
    }

    @Test
    fun `seconds lie between their frames`() {
        assertEquals(listOf("3@20.0", "2@12.0", "1@4.0"), seconds(shown = 6.0))
        assertEquals(listOf("3@18.0", "2@10.0", "1@2.0"), seconds(shown = 6.5))
        assertEquals(emptyList<String>(), seconds(shown = 1.9))
    }
}
