package org.edge_asr.core.live

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class ScreenStateTest {
    private fun text(earlier: String, final: String, partial: String) =
        ScreenState(earlierText = earlier, finalText = final, partialText = partial).wholeText

    @Test
    fun `each stream has a line, and its partial words follow its final ones`() {
        assertEquals("", text("", "", ""))
        assertEquals("A B", text("", "A", "B"))
        assertEquals("ONE\nA B", text("ONE", "A", "B"))
        assertEquals("ONE\nB", text("ONE", "", "B"))
        assertEquals("ONE\nA", text("ONE", "A", ""))
    }

    @Test
    fun `a long text is cut between words`() {
        assertEquals("ONE TWO", lastWords("ONE TWO", 7))
        assertEquals("TWO", lastWords("ONE TWO", 6))
        assertEquals("TWO", lastWords("ONE TWO", 3))
        assertEquals("TWO\nSIX", lastWords("ONE TWO\nSIX", 8))
        assertEquals("ABC", lastWords("XXXABC", 3))
    }

    @Test
    fun `only zeros, for long enough, are a microphone cut off`() {
        val watch = SilenceWatch(samples = 4)
        fun accept(vararg pcm: Int) = watch.accept(ShortArray(pcm.size) { pcm[it].toShort() }, pcm.size)
        assertFalse(accept(0, 0, 0))
        assertTrue(accept(0))
        assertTrue(accept(0, 0))
        assertFalse(accept(1, 0, 0, 0))
        assertTrue(accept(0))
        assertFalse(accept(0, 0, -1))
    }
}
