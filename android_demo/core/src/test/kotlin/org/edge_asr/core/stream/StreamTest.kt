package org.edge_asr.core.stream

import java.util.Random
import kotlin.concurrent.thread
import org.edge_asr.core.audio.Resampler
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.ScriptedProgram.Companion.CHUNK_FRAMES
import org.edge_asr.core.stream.ScriptedProgram.Companion.FRAME_S
import org.edge_asr.core.stream.ScriptedProgram.Companion.FRAME_SAMPLES
import org.edge_asr.core.stream.ScriptedProgram.Companion.audio
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The engine over a program whose answers are known. */
class StreamTest {
    private val program = ScriptedProgram()
    private val stream = Stream(program)

    /** All that a stream said, joined over its updates; wall clock left out. */
    private class Heard {
        val words = mutableListOf<Word>()
        val keep = mutableListOf<Boolean>()
        val thresholds = mutableListOf<Float>()
        lateinit var last: Update

        fun take(update: Update) {
            words += update.newWords
            for (step in update.newSteps) keep += step.keep.toList()
            thresholds += update.newSteps.map { it.threshold }
            last = update
        }

        fun all() = listOf(words, keep, thresholds, last.final, last.partial, last.counters.copy(computeS = 0.0))
    }

    private fun heard(pcm: FloatArray, on: Stream = Stream(ScriptedProgram())) = Heard().apply {
        take(on.accept(pcm))
        take(on.finish())
    }

    private fun shape(keep: List<Boolean>) = keep.joinToString("") { if (it) "x" else "-" }

    private fun refusal(call: () -> Unit): String = assertThrows(IllegalArgumentException::class.java) { call() }.message!!

    // --- what is heard

    @Test
    fun `words, times and kept frames are those that were spoken`() {
        val heard = heard(audio("..ab.c_cddd..a"))
        assertEquals("AB C CD A", heard.last.final)
        assertEquals("", heard.last.partial)
        assertEquals("--xx-xxxxxx--x", shape(heard.keep))
        val spans = heard.words.map { Triple(it.text, it.startS / FRAME_S, it.endS / FRAME_S) }
        assertEquals(listOf(Triple("AB", 2.0, 4.0), Triple("C", 5.0, 6.0), Triple("CD", 7.0, 11.0), Triple("A", 13.0, 14.0)), spans)
        val counters = heard.last.counters
        assertEquals(Counters(14, 9, 2, 4, 14 * FRAME_S, counters.computeS), counters)
    }

    @Test
    fun `nothing is known before a chunk is full`() {
        val pcm = audio("abab")
        val update = stream.accept(pcm, pcm.size - 1)
        assertEquals(0, program.calls.size)
        assertEquals(listOf("", "", false, 0), listOf(update.final, update.partial, update.changed, update.newSteps.size))
        val next = stream.accept(pcm.copyOfRange(pcm.size - 1, pcm.size))
        assertEquals(1, next.newSteps.size)
        assertTrue(next.changed)
    }

    @Test
    fun `what waits is partial, and may be heard better once it is resolved`() {
        val first = stream.accept(audio("ab.."))
        assertEquals(listOf("", "AD", 2), listOf(first.final, first.partial, first.newSteps.single().waiting))
        assertFalse(first.newSteps.single().upperRan)
        val second = stream.accept(audio("bc.."))
        assertEquals(listOf("ABB", "C"), listOf(second.final, second.partial))
        assertTrue(second.newSteps.single().upperRan)
        assertEquals(listOf("ABB"), second.newWords.map { it.text })
        assertEquals(listOf("C"), second.partialWords.map { it.text })
        val silence = stream.accept(audio("...."))
        assertFalse(silence.changed)
        assertEquals(listOf("ABB", "C"), listOf(silence.final, silence.partial))
        val end = stream.finish()
        assertEquals(listOf("ABB C", ""), listOf(end.final, end.partial))
        assertTrue(end.changed)
    }

    @Test
    fun `an update stays what it was`() {
        val first = stream.accept(audio("ab.c"))
        val words = first.newWords.toList() + first.partialWords
        stream.accept(audio("cccc"))
        stream.finish()
        assertEquals(words, first.newWords + first.partialWords)
        assertEquals(1, first.newSteps.size)
    }

    // --- cuts

    @Test
    fun `how the samples are cut changes nothing`() {
        val random = Random(1)
        repeat(300) { round ->
            val script = List(random.nextInt(40)) { "abcd_.."[random.nextInt(7)] }.joinToString("")
            val whole = audio(script)
            val pcm = whole.copyOf(whole.size - if (whole.isEmpty()) 0 else random.nextInt(FRAME_SAMPLES - 2))
            val cut = Heard()
            val upperRows = 1 + random.nextInt(CHUNK_FRAMES)
            val inPieces = Stream(ScriptedProgram(upperRows))
            var from = 0
            while (from < pcm.size) {
                val size = minOf(random.nextInt(if (random.nextBoolean()) 4 else 100), pcm.size - from)
                cut.take(inPieces.accept(pcm.copyOfRange(from, from + size)))
                from += size
            }
            cut.take(inPieces.finish())
            assertEquals("round $round: $script", heard(pcm, Stream(ScriptedProgram(upperRows))).all(), cut.all())
        }
    }

    @Test
    fun `only the first samples of a larger array are taken`() {
        val pcm = audio("abcdab")
        val cut = Heard()
        val array = FloatArray(100) { Float.NaN }
        var from = 0
        while (from < pcm.size) {
            val count = minOf(13, pcm.size - from)
            pcm.copyInto(array, 0, from, from + count)
            cut.take(stream.accept(array, count))
            from += count
        }
        cut.take(stream.finish())
        assertEquals(heard(pcm).all(), cut.all())
        val other = Stream(program)
        for (count in listOf(-1, 101)) assertThrows(IllegalArgumentException::class.java) { other.accept(array, count) }
        for (count in listOf(-1, 101)) assertThrows(IllegalArgumentException::class.java) { other.accept(ShortArray(100), count) }
    }

    @Test
    fun `16-bit samples are the same audio`() {
        val pcm = audio("ab.c_cd")
        val short = ShortArray(pcm.size + 5) { if (it < pcm.size) (pcm[it] * 32_768).toInt().toShort() else 99 }
        val cut = Heard()
        cut.take(stream.accept(short, pcm.size))
        cut.take(stream.finish())
        assertEquals(heard(pcm).all(), cut.all())
        val extremes = Stream(program)
        extremes.accept(shortArrayOf(-32_768, 32_767))
        extremes.finish()
        assertEquals(listOf(-1f, 32_767 / 32_768f), program.calls.last().pcm.take(2))
    }

    // --- the end

    @Test
    fun `the last chunk is filled with zeros, and its frames are counted from its samples`() {
        stream.accept(audio("abcdab"))
        stream.accept(FloatArray(3) { 0.125f })
        stream.finish()
        val call = program.calls[1]
        assertEquals(3, call.frames)
        assertTrue(call.flush)
        assertEquals(listOf(0.125f, 0.125f, 0.125f) + List(13) { 0f }, call.pcm.drop(2 * FRAME_SAMPLES))
    }

    @Test
    fun `the end flushes without audio where the chunk was full`() {
        stream.accept(audio("a..b"))
        assertEquals("AB", stream.finish().final)
        assertEquals(listOf(4 to false, 0 to true), program.calls.map { it.frames to it.flush })
        assertTrue(program.calls.last().pcm.all { it == 0f })
    }

    @Test
    fun `a step in which the upper stack runs takes all that waits, more than a chunk of it`() {
        assertEquals(listOf(3), stream.accept(audio("aca.")).newSteps.map { it.waiting })
        val update = stream.accept(audio("caca"))
        assertEquals(listOf(0), update.newSteps.map { it.waiting })
        assertEquals(listOf("A C A C A C", "A"), listOf(update.final, update.partial))
        assertEquals(0, stream.finish().newSteps.size)
    }

    @Test
    fun `the last samples resolve what waits in their own step`() {
        stream.accept(audio("aca."))
        stream.accept(audio("ca"))
        val end = stream.finish()
        assertEquals("A C A C A", end.final)
        assertEquals(listOf(0), end.newSteps.map { it.waiting })
    }

    @Test(timeout = 10_000)
    fun `a program that never ends its drain is an error, and the stream begins anew after it`() {
        stream.accept(audio("a..b"))
        program.neverDrains = true
        val error = assertThrows(ProgramException::class.java) { stream.finish() }
        assertEquals("the model does not end its stream (flushing resolves no frame): export it again", error.message)
        assertThrows(IllegalStateException::class.java) { stream.finish() }
        program.neverDrains = false
        stream.restart()
        assertEquals(heard(audio("ab.c")).all(), heard(audio("ab.c"), stream).all())
    }

    @Test
    fun `an empty stream hears nothing and runs nothing`() {
        val update = stream.accept(FloatArray(0))
        assertFalse(update.changed)
        val end = stream.finish()
        assertEquals(listOf("", "", false), listOf(end.final, end.partial, end.changed))
        assertEquals(Counters(), end.counters)
        assertEquals(0, program.calls.size)
    }

    @Test
    fun `after the end only restart is allowed`() {
        stream.accept(audio("ab"))
        stream.finish()
        for (call in listOf({ stream.accept(audio("a")) }, { stream.accept(ShortArray(1)) }, { stream.finish() })) {
            assertTrue(assertThrows(IllegalStateException::class.java) { call() }.message!!.startsWith("this stream is over"))
        }
    }

    // --- reset

    @Test
    fun `a new stream resets its program and never closes it`() {
        assertEquals(1, program.resets)
        stream.finish()
        assertFalse(program.closed)
    }

    @Test
    fun `a restart forgets everything, in the middle and after the end`() {
        val expected = heard(audio(".cd.a")).all()
        stream.accept(audio("abcdabc")) // in the middle of a chunk, and with frames that wait
        stream.restart()
        assertEquals(expected, heard(audio(".cd.a"), stream).all())
        stream.restart()
        assertEquals(expected, heard(audio(".cd.a"), stream).all())
        assertEquals(3, program.resets)
    }

    @Test
    fun `nothing of what waited before a restart is run after it`() {
        stream.accept(audio("ab..ab"))
        stream.restart()
        assertEquals(listOf("", 0), stream.finish().let { listOf(it.final, it.newSteps.size) })
        assertEquals(1, program.calls.size)
    }

    @Test
    fun `a step that fails ends the stream until it is restarted`() {
        stream.accept(audio("ab"))
        program.failing = true
        assertEquals("the runtime gave up", assertThrows(ProgramException::class.java) { stream.accept(audio("ab")) }.message)
        assertThrows(IllegalStateException::class.java) { stream.accept(audio("ab")) }
        program.failing = false
        assertThrows(IllegalStateException::class.java) { stream.accept(audio("ab")) }
        stream.restart()
        assertEquals(heard(audio("ab.c")).all(), heard(audio("ab.c"), stream).all())
    }

    // --- what is refused

    @Test
    fun `samples that are no audio are refused and the stream stays as it was`() {
        val pcm = audio("ab.c_cd.ab")
        val bad = listOf(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 65f, -65f, 32_767f)
        val cut = Heard()
        for (from in pcm.indices step 7) {
            for (sample in bad) {
                val block = FloatArray(50) { 0.01f }
                block[49] = sample
                assertThrows(IllegalArgumentException::class.java) { stream.accept(block) }
            }
            cut.take(stream.accept(pcm.copyOfRange(from, minOf(from + 7, pcm.size))))
        }
        cut.take(stream.finish())
        assertEquals(heard(pcm).all(), cut.all())
    }

    @Test
    fun `a refusal says where the sample is and what to do`() {
        stream.accept(FloatArray(16_000))
        val block = FloatArray(8_001).apply { set(8_000, Float.NaN) }
        assertEquals("the PCM sample at 1.50 s is not a finite number (NaN or infinite): mend its source", refusal { stream.accept(block) })
        block[8_000] = -32_768f
        assertEquals(
            "float PCM must lie in [-1, 1], this reaches 32768: pass 16-bit samples, or divide by 32768",
            refusal { stream.accept(block) },
        )
        block[8_000] = 64f // loud, and no more than that
        stream.accept(block)
    }

    @Test
    fun `a model of another rate is given its own`() {
        val random = Random(8)
        val pcm = FloatArray(16_001) { random.nextFloat() - 0.5f }
        for (modelHz in listOf(8_000, 11_025, 48_000)) {
            val resampler = Resampler(16_000, modelHz)
            val expected = (resampler.process(pcm) + resampler.finish()).toList()
            val other = ScriptedProgram(sampleRateHz = modelHz)
            val stream = Stream(other)
            for (round in 0 until 2) { // nothing of the first is left in the second
                other.calls.clear()
                stream.restart()
                for (from in pcm.indices step 777) stream.accept(pcm.copyOfRange(from, minOf(from + 777, pcm.size)))
                val last = stream.finish()
                assertEquals(expected, other.calls.flatMap { it.pcm }.take(expected.size))
                assertTrue(other.calls.flatMap { it.pcm }.drop(expected.size).all { it == 0f })
                assertEquals(expected.size.toDouble() / modelHz, last.counters.audioS, 0.0)
            }
        }
    }

    @Test
    fun `samples that are at the rate of the model already stay as they are`() {
        val other = ScriptedProgram(sampleRateHz = 8_000)
        val stream = Stream(other, pcmHz = 8_000)
        val heard = heard(audio("ab.c_cd"), stream)
        assertEquals(heard(audio("ab.c_cd")).last.final, heard.last.final)
        assertEquals(7 * FRAME_SAMPLES / 8_000.0, heard.last.counters.audioS, 0.0)
        stream.restart()
        val late = FloatArray(4_001).apply { set(4_000, Float.NaN) }
        assertTrue(refusal { stream.accept(late) }.startsWith("the PCM sample at 0.50 s"))
    }

    @Test
    fun `16-bit samples are resampled as others are`() {
        val pcm = ShortArray(5_000) { (it * 37 % 2_000 - 1_000).toShort() }
        val (short, float) = List(2) { ScriptedProgram(sampleRateHz = 8_000) }
        Stream(short).apply { accept(pcm) }.finish()
        Stream(float).apply { accept(FloatArray(pcm.size) { pcm[it] / 32_768f }) }.finish()
        assertEquals(float.calls, short.calls)
    }

    @Test
    fun `words end where the audio does, though the last frame does not`() {
        val pcm = audio("ab.cd")
        for (missing in 0 until FRAME_SAMPLES - 1) {
            val heard = heard(pcm.copyOf(pcm.size - missing))
            assertEquals(heard.last.counters.audioS, heard.words.last().endS, 0.0)
            assertEquals((pcm.size - missing) / 16_000.0, heard.words.last().endS, 0.0)
        }
    }

    // --- the threshold

    @Test
    fun `the file's own threshold holds where none is named, and NEVER_SKIP keeps all`() {
        assertEquals("x-x-", shape(heard(audio("a.b."), Stream(program)).keep))
        assertEquals("xxxx", shape(heard(audio("a.b."), Stream(program, NEVER_SKIP)).keep))
        assertEquals("----", shape(heard(audio("a.b."), Stream(program, 0.1f)).keep))
    }

    @Test
    fun `a threshold changed while the stream runs holds from the next step on`() {
        val heard = Heard()
        val pcm = audio("a.b.a.b.a.b.")
        heard.take(stream.accept(pcm, 6 * FRAME_SAMPLES)) // a step, and half of the next
        stream.threshold = NEVER_SKIP
        heard.take(stream.accept(pcm.copyOfRange(6 * FRAME_SAMPLES, 8 * FRAME_SAMPLES)))
        stream.threshold = 0f
        heard.take(stream.accept(pcm.copyOfRange(8 * FRAME_SAMPLES, pcm.size)))
        heard.take(stream.finish())
        assertEquals("x-x-xxxx----", shape(heard.keep))
        assertEquals(listOf(0.5f, 1f, 0f), heard.thresholds)
        assertEquals(heard.thresholds, program.calls.map { it.threshold })
    }

    @Test
    fun `a threshold outside 0 to 1 is refused and the one before holds`() {
        for (value in listOf(-0.01f, 1.01f, Float.NaN, Float.POSITIVE_INFINITY)) {
            assertEquals("the threshold must lie between 0 and 1, not $value", refusal { stream.threshold = value })
            assertThrows(IllegalArgumentException::class.java) { Stream(program, value) }
        }
        assertEquals(0.5f, stream.threshold, 0f)
    }

    @Test
    fun `another thread may set the threshold while the stream runs`() {
        val pcm = audio("a.b.")
        val turned = thread { for (n in 0..2_000) stream.threshold = (n % 2).toFloat() }
        while (turned.isAlive) {
            for (step in stream.accept(pcm).newSteps) {
                val expected = when (step.threshold) {
                    1f -> "xxxx"
                    0f -> "----"
                    else -> "x-x-"
                }
                assertEquals(expected, shape(step.keep.toList()))
            }
        }
        turned.join()
        assertEquals(0f, stream.accept(pcm).newSteps.single().threshold, 0f)
    }

    // --- what it cost

    @Test
    fun `the clock of the stream is the sum of its steps`() {
        var ms = 0.0
        repeat(50) { for (step in stream.accept(audio("abcdab")).newSteps) ms += step.latencyMs }
        val counters = stream.accept(FloatArray(0)).counters
        assertEquals(ms / 1_000, counters.computeS, 1e-9)
        assertTrue(counters.computeS > 0)
        assertEquals(75L, counters.steps)
        assertEquals(300 * FRAME_S, counters.audioS, 1e-12)
    }
}
