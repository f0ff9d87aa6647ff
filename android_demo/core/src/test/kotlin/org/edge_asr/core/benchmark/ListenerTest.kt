package org.edge_asr.core.benchmark

import org.edge_asr.core.program.Program
import org.edge_asr.core.stream.ScriptedProgram
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** When the first text is there, and how long the last takes: with steps so slow that all else is nothing beside them. */
class ListenerTest {
    private class Slow(private val program: Program) : Program by program {
        override fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean) =
            program.step(pcm, frames, threshold, flush).also { Thread.sleep(SLOW_MS) }
    }

    private fun heard(script: String) = Listener(Slow(ScriptedProgram()), 0.5f).hear(ScriptedProgram.audio(script))

    @Test
    fun `the step that takes the last samples counts to the end of speech, the ones before do not`() {
        for (script in listOf("....abab", "....a..")) { // the last step is in the last call but one, and in the last
            val found = heard(script)
            assertTrue("$script ${found.endOfSpeechMs}", found.endOfSpeechMs >= SLOW_MS)
            assertTrue("$script ${found.endOfSpeechMs}", found.endOfSpeechMs < found.stepMs.sum())
        }
    }

    @Test
    fun `the first text is there when its audio is heard and computed`() {
        val found = heard("....a...b...")
        val audioMs = 1e3 * 8 * ScriptedProgram.FRAME_S
        assertEquals(audioMs + found.stepMs[1], found.firstPartialMs!!, SLOW_MS / 2.0)
        assertNull(heard("........").firstPartialMs)
    }

    @Test
    fun `steps are told one by one, with whether the upper layers ran`() {
        val found = heard("abab........")
        assertEquals(found.computeS, 1e-3 * found.stepMs.sum(), 1e-9)
        assertEquals(listOf(true, false, false), found.stepUpper.toList())
    }

    private companion object {
        const val SLOW_MS = 40L
    }
}
