package org.edge_asr.core.stream

import java.util.Random
import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.sqrt
import org.edge_asr.core.Vectors
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Skipped, waiting and resolved frames collapse to words, however the results arrive: the cases of tests/test_ctc.py. */
class TimeLineTest {
    private val pieces = listOf("<blank>", "A", "L", "▁HE", "▁", "▁O▁K", "")
    private val tokens = Tokens(pieces, BLANK)

    /** What happens to one frame; the heads' tokens and the probability that both give them. */
    private data class Heard(val kept: Boolean, val partial: Int, val final: Int, val probability: Double = 0.5)

    private val skipped = Heard(false, A, A) // whatever the heads might have said of it

    private fun kept(vararg ids: Int, probability: Double = 0.5) = ids.map { Heard(true, it, it, probability) }

    private fun rows(ids: List<Int>, probabilities: List<Double>): FloatArray {
        val out = FloatArray(ids.size * pieces.size) { -100f }
        for ((row, token) in ids.withIndex()) out[row * pieces.size + token] = ln(probabilities[row]).toFloat()
        return out
    }

    private fun step(frames: List<Heard>, resolved: List<Pair<Int, Heard>> = emptyList(), waiting: Int = 0) = Step(
        partial = rows(frames.map { it.partial }, frames.map { it.probability }),
        keep = BooleanArray(frames.size) { frames[it].kept },
        final = rows(resolved.map { it.second.final }, resolved.map { it.second.probability }),
        index = LongArray(resolved.size) { resolved[it].first.toLong() },
        waiting = waiting,
    )

    private fun numbered(frames: List<Heard>, from: Int = 0) =
        frames.withIndex().filter { it.value.kept }.map { it.index + from to it.value }

    private fun line() = TimeLine(tokens, Clock(FRAME_SAMPLES, 16_000))

    /** All words of frames that arrive in one step which resolves every kept one. */
    private fun spoken(frames: List<Heard>): List<Word> {
        val line = line()
        return line.add(step(frames, numbered(frames)), frames.size * FRAME_SAMPLES) + line.finish()
    }

    private fun text(words: List<Word>) = words.joinToString(" ") { it.text }

    @Test
    fun `a letter on both sides of a skipped frame is two letters`() {
        assertEquals("HELLA", text(spoken(kept(HE, L) + skipped + kept(L, A))))
    }

    @Test
    fun `a letter on both sides of a kept blank is two letters`() {
        assertEquals("HELLA", text(spoken(kept(HE, L, BLANK, L, A))))
    }

    @Test
    fun `a letter held over adjacent frames is one letter`() {
        assertEquals("HELA", text(spoken(kept(HE, L, L, A))))
    }

    @Test
    fun `a skipped frame is blank whatever the heads say`() {
        assertEquals("HE", text(spoken(listOf(skipped) + kept(HE) + skipped)))
    }

    @Test
    fun `a word is final once the next has begun and not before`() {
        val line = line()
        val first = kept(HE, L)
        val second = kept(A, HE)
        assertEquals(emptyList<Word>(), line.add(step(first, numbered(first)), 2 * FRAME_SAMPLES))
        assertEquals("HEL", text(line.partialWords()))
        assertEquals("HELA", text(line.add(step(second, numbered(second, from = 2)), 2 * FRAME_SAMPLES)))
        assertEquals("HE", text(line.partialWords()))
        assertEquals("HE", text(line.finish()))
        assertEquals(emptyList<Word>(), line.partialWords())
    }

    @Test
    fun `a waiting frame is heard as the intermediate head says until it is resolved`() {
        val line = line()
        val frame = Heard(true, partial = A, final = L)
        line.add(step(listOf(frame), waiting = 1), FRAME_SAMPLES)
        assertEquals("A", text(line.partialWords()))
        line.add(step(emptyList(), listOf(0 to frame)), 0)
        assertEquals("L", text(line.partialWords()))
    }

    @Test
    fun `a word lasts from the first frame of its first piece to the last frame of its last`() {
        val word = spoken(listOf(skipped) + kept(HE, HE) + skipped + kept(L, L, HE)).first()
        assertEquals("HEL", word.text)
        assertEquals(1 * FRAME_S, word.startS, 1e-12)
        assertEquals(6 * FRAME_S, word.endS, 1e-12)
    }

    @Test
    fun `confidence is the geometric mean of the best frame of each piece`() {
        val frames = kept(HE, probability = 0.9) + kept(L, probability = 0.2) + kept(L, probability = 0.4) + kept(HE)
        assertEquals(sqrt(0.9 * 0.4), spoken(frames).first().confidence.toDouble(), 1e-5)
    }

    @Test
    fun `confidence never exceeds 1, though a log probability may by rounding`() {
        assertEquals(1f, spoken(kept(HE, probability = 1.0001)).single().confidence, 0f)
    }

    @Test
    fun `a bare word mark opens a word and a mark inside a piece splits it`() {
        assertEquals("A L O KA", text(spoken(kept(A, BARE, L, TWO, A))))
    }

    @Test
    fun `a piece without text lengthens no word`() {
        val word = spoken(kept(HE, MUTE, MUTE, HE)).first()
        assertEquals("HE", word.text)
        assertEquals(1 * FRAME_S, word.endS, 1e-12)
    }

    @Test
    fun `of equal probabilities the first token counts, as in numpy`() {
        val tie = Step(FloatArray(pieces.size), booleanArrayOf(true), FloatArray(0), LongArray(0), 1)
        tie.partial[BLANK] = -1f
        val line = line()
        line.add(tie, FRAME_SAMPLES)
        assertEquals("A", text(line.partialWords()))
    }

    @Test
    fun `a frame resolved out of turn breaks the contract`() {
        val frames = kept(A, L)
        val error = assertThrows(ProgramException::class.java) { line().add(step(frames, listOf(1 to frames[1])), 2 * FRAME_SAMPLES) }
        assertEquals("the model resolved frame 1, which was not next: export it again", error.message)
    }

    @Test
    fun `a skipped frame cannot be resolved`() {
        val error = assertThrows(ProgramException::class.java) { line().add(step(listOf(skipped), listOf(0 to skipped)), FRAME_SAMPLES) }
        assertEquals("the model resolved frame 0, which was not next: export it again", error.message)
    }

    @Test
    fun `outputs that are smaller than promised break the contract`() {
        val whole = step(kept(A, L), numbered(kept(A, L)))
        val small = listOf(
            Step(whole.partial.copyOf(13), whole.keep, whole.final, whole.index, 0),
            Step(whole.partial, whole.keep.copyOf(1), whole.final, whole.index, 0),
            Step(whole.partial, whole.keep, whole.final.copyOf(13), whole.index, 0),
        )
        for (step in small) assertThrows(ProgramException::class.java) { line().add(step, 2 * FRAME_SAMPLES) }
    }

    // --- the vectors that every time line is tested with

    @Test
    fun `words are those of the vectors`() {
        val vectors = Vectors.read("time_line.jsonl")
        assertTrue(vectors.size > 100)
        val wrong = vectors.flatMap { vector -> differences(vector).map { "${vector["name"]}: $it" } }
        assertEquals(emptyList<String>(), wrong)
    }

    /** Where this time line makes other words of a vector's steps. */
    private fun differences(vector: JSONObject): List<String> {
        val pieces = vector.getJSONArray("pieces").let { all -> List(all.length()) { all.getString(it) } }
        val clock = Clock(vector.getInt("frame_samples"), vector.getInt("sample_rate_hz"))
        val line = TimeLine(Tokens(pieces, vector.getInt("blank_id")), clock)
        val steps = vector.getJSONArray("steps").let { all -> List(all.length()) { all.getJSONObject(it) } }
        val found = mutableListOf<String>()
        for ((number, step) in steps.withIndex()) {
            val words = try {
                line.add(result(step, pieces.size), step.getInt("samples"))
            } catch (error: ProgramException) {
                if (error.message != step.opt("refused")) found += "step $number was refused: ${error.message}"
                return found
            }
            if (step.has("refused")) return found + "step $number was taken"
            if (!same(words, step.getJSONArray("words"))) found += "step $number has words $words, expected ${step["words"]}"
            val partial = line.partialWords()
            if (!same(partial, step.getJSONArray("partial_words"))) found += "step $number has partial words $partial"
        }
        val last = line.finish()
        if (!same(last, vector.getJSONArray("finish"))) found += "the end has $last, expected ${vector["finish"]}"
        return found
    }

    /** With a row more than the step has frames, which must not count. */
    private fun result(step: JSONObject, pieces: Int): Step {
        val keep = step.getJSONArray("keep")
        val index = step.getJSONArray("index")
        return Step(
            partial = numbers(step.getJSONArray("partial")) + FloatArray(pieces) { Float.NaN },
            keep = BooleanArray(keep.length() + 1) { it == keep.length() || keep.getInt(it) == 1 },
            final = numbers(step.getJSONArray("final")),
            index = LongArray(index.length()) { index.getLong(it) },
            waiting = step.getInt("waiting"),
        )
    }

    private fun numbers(rows: JSONArray): FloatArray =
        (0 until rows.length()).flatMap { row ->
            rows.getJSONArray(row).let { all -> List(all.length()) { all[it].toString().toFloat() } } // NaN and Infinity are strings
        }.toFloatArray()

    private fun same(words: List<Word>, expected: JSONArray): Boolean =
        words.size == expected.length() && words.withIndex().all { (at, word) ->
            val other = expected.getJSONArray(at)
            word.text == other.getString(0) && word.startS == other.getDouble(1) && word.endS == other.getDouble(2) &&
                abs(word.confidence - other.getDouble(3)) <= CONFIDENCE_TOLERANCE
        }

    // --- properties, over seeded random schedules

    /** Frames, and for each step how many arrive and how many kept ones are resolved at most. */
    private class Schedule(val frames: List<Heard>, val steps: List<Pair<Int, Int>>)

    private fun schedules(): Sequence<Schedule> {
        val random = Random(26)
        return generateSequence {
            val frames = List(random.nextInt(41)) {
                Heard(random.nextBoolean(), random.nextInt(pieces.size), random.nextInt(pieces.size), 0.01 + 0.99 * random.nextDouble())
            }
            Schedule(frames, List(random.nextInt(21)) { random.nextInt(6) to random.nextInt(7) } + (frames.size to frames.size))
        }.take(400)
    }

    /** Calls [seen] after each step with (new final words, frames arrived, kept frames resolved). */
    private fun run(schedule: Schedule, line: TimeLine, seen: (List<Word>, Int, Int) -> Unit) {
        val order = numbered(schedule.frames)
        var arrived = 0
        var resolved = 0
        for ((arrive, resolve) in schedule.steps) {
            val new = schedule.frames.drop(arrived).take(arrive)
            arrived += new.size
            val ready = order.drop(resolved).filter { it.first < arrived }.take(resolve)
            resolved += ready.size
            val waiting = order.count { it.first < arrived } - resolved
            seen(line.add(step(new, ready, waiting), new.size * FRAME_SAMPLES), arrived, resolved)
        }
    }

    /** Drop repeats, then blanks; join the pieces (Graves et al. 2006). */
    private fun reference(ids: List<Int>): String {
        val collapsed = ids.filterIndexed { at, token -> token != BLANK && (at == 0 || ids[at - 1] != token) }
        return collapsed.joinToString("") { pieces[it] }.split('▁').filter { it.isNotEmpty() }.joinToString(" ")
    }

    @Test
    fun `at every moment the text is the reference collapse of the merged sequence`() {
        for (schedule in schedules()) {
            val line = line()
            val final = mutableListOf<Word>()
            var merged = emptyList<Int>()
            run(schedule, line) { words, arrived, resolved ->
                final += words
                var seen = 0
                merged = schedule.frames.take(arrived).map {
                    if (!it.kept) BLANK else if (seen++ < resolved) it.final else it.partial
                }
                assertEquals(reference(merged), text(final + line.partialWords()))
            }
            assertEquals(reference(merged), text(final + line.finish()))
        }
    }

    @Test
    fun `partial words are in every way what they would be if no frame changed any more`() {
        for (schedule in schedules()) {
            val line = line()
            val final = mutableListOf<Word>()
            run(schedule, line) { words, arrived, resolved ->
                final += words
                var seen = 0
                val now = schedule.frames.take(arrived).map { if (it.kept && seen++ >= resolved) it.copy(final = it.partial) else it }
                assertEquals(spoken(now), final + line.partialWords())
            }
        }
    }

    @Test
    fun `words do not depend on how the results arrived`() {
        for (schedule in schedules()) {
            val line = line()
            val words = mutableListOf<Word>()
            run(schedule, line) { new, _, _ -> words += new }
            assertEquals(spoken(schedule.frames), words + line.finish())
        }
    }

    @Test
    fun `words follow one another in time and confidence is a probability`() {
        for (schedule in schedules()) {
            val words = spoken(schedule.frames)
            for (word in words) assertTrue("$word", word.text.isNotEmpty() && word.startS in 0.0..word.endS && word.startS < word.endS)
            for (word in words) assertTrue("$word", word.confidence in 0f..1f)
            for ((one, next) in words.zipWithNext()) assertTrue("$one $next", one.startS <= next.startS)
        }
    }

    @Test
    fun `three days of frames are decoded in memory that does not grow`() {
        val line = line()
        val frames = kept(HE, L) + skipped + kept(A)
        val first = step(frames, numbered(frames))
        val steps = 3 * 24 * 3_600 * 25 / frames.size // more frames than the heap of this test could hold
        var words = 0
        for (n in 0L until steps) {
            val index = LongArray(first.index.size) { first.index[it] + n * frames.size }
            words += line.add(Step(first.partial, first.keep, first.final, index, 0), frames.size * FRAME_SAMPLES).size
        }
        assertEquals(steps - 1, words)
        assertEquals("HELA", text(line.finish()))
    }

    private companion object {
        const val BLANK = 0
        const val A = 1
        const val L = 2
        const val HE = 3
        const val BARE = 4
        const val TWO = 5
        const val MUTE = 6
        const val FRAME_SAMPLES = 640
        const val FRAME_S = 0.04
        const val CONFIDENCE_TOLERANCE = 2e-6 // the vectors have six digits, and confidences are floats
    }
}
