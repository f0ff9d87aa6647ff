package org.edge_asr.core.strip

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class GateStripTest {
    private fun bits(text: String) = BooleanArray(text.length) { text[it] == '#' }

    private fun GateStrip.text() = (first until frames).joinToString("") { if (kept(it)) "#" else "." }

    @Test
    fun `a step's frames follow those before`() {
        val strip = GateStrip(10) + bits(".#") + bits("##.")
        assertEquals(".###.", strip.text())
        assertEquals(0, strip.first)
        assertEquals(5, strip.frames)
    }

    @Test
    fun `the oldest frames are forgotten and still counted`() {
        val strip = GateStrip(4) + bits("###") + bits("..#")
        assertEquals("#..#", strip.text())
        assertEquals(2, strip.first)
        assertEquals(6, strip.frames)
    }

    @Test
    fun `a step longer than the strip leaves its end`() {
        assertEquals("#.", (GateStrip(2) + bits("...#.")).text())
    }

    @Test
    fun `what was handed out does not change`() {
        val before = GateStrip(4) + bits("#.")
        before + bits("##")
        assertEquals("#.", before.text())
    }

    @Test
    fun `the ratio is that of the newest frames`() {
        val strip = GateStrip(10) + bits("####..#.")
        assertEquals(0.25, strip.keptRatio(4)!!, 0.0)
        assertEquals(5.0 / 8, strip.keptRatio(100)!!, 0.0)
        assertNull(GateStrip(10).keptRatio(4))
    }
}
