package org.edge_asr.core.stream

import kotlin.math.exp
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step

/**
 * Words from the results of the steps: CTC greedy decoding on the merged time line of edge_asr/ctc.py. A skipped frame is
 * blank for good; a kept one is what the intermediate head says, for now, and once it is resolved what the final head
 * says, for good.
 *
 * Keeps the frames that wait and the parts of the last word, and no other frame: memory grows with neither silence nor
 * speech.
 */
internal class TimeLine(private val tokens: Tokens, private val clock: Clock) {
    private var frames = 0L
    private var samples = 0L
    private val resolved = Collapser(tokens)
    private val waiting = ArrayDeque<Frame>()

    /**
     * Takes one step's result, whose chunk had [stepSamples] real ones; only the last chunk of a stream may end in a frame.
     * Returns the words that are final from now on: every frame up to the first piece of the next word is resolved. Throws
     * [ProgramException] where the result breaks the contract: frames resolved out of order or never kept, a log
     * probability that is not finite, another number of waiting frames.
     */
    fun add(step: Step, stepSamples: Int): List<Word> {
        val count = (stepSamples + clock.frameSamples - 1) / clock.frameSamples
        requireShape(step, count)
        for (row in 0 until count) {
            if (step.keep[row]) waiting.addLast(best(step.partial, row, frames + row))
        }
        frames += count
        samples += stepSamples
        val spans = mutableListOf<Span>()
        for ((row, number) in step.index.withIndex()) {
            if (waiting.firstOrNull()?.number != number) {
                throw ProgramException("the model resolved frame $number, which was not next: export it again")
            }
            waiting.removeFirst()
            resolved.add(best(step.final, row, number), spans)
        }
        if (step.waiting != waiting.size) {
            throw ProgramException("the model says that ${step.waiting} frames wait, and ${waiting.size} do: export it again")
        }
        return timed(spans)
    }

    /** What follows the final words, as far as it can be told now. Any of it may change. */
    fun partialWords(): List<Word> {
        val ahead = resolved.copy()
        val spans = mutableListOf<Span>()
        for (frame in waiting) ahead.add(frame, spans)
        ahead.finish(spans)
        return timed(spans)
    }

    /** The stream has ended and nothing waits: the last word is final, too. */
    fun finish(): List<Word> = timed(mutableListOf<Span>().also(resolved::finish))

    private fun timed(spans: List<Span>): List<Word> = spans.map {
        Word(
            text = it.text,
            startS = (it.firstFrame * clock.frameSamples).toDouble() / clock.sampleRateHz,
            endS = minOf((it.lastFrame + 1) * clock.frameSamples, samples).toDouble() / clock.sampleRateHz,
            confidence = it.confidence,
        )
    }

    private fun requireShape(step: Step, count: Int) {
        val fits = step.keep.size >= count && step.partial.size >= count * tokens.size &&
            step.final.size >= step.index.size * tokens.size
        if (!fits) throw ProgramException("the model's outputs are smaller than its metadata says: export it again")
    }

    private fun best(logProbabilities: FloatArray, row: Int, number: Long): Frame {
        val first = row * tokens.size
        var highest = first
        for (at in first until first + tokens.size) {
            if (!logProbabilities[at].isFinite()) {
                throw ProgramException("the model gave a log probability that is not finite for frame $number: export it again")
            }
            if (logProbabilities[at] > logProbabilities[highest]) highest = at
        }
        return Frame(number, highest - first, logProbabilities[highest])
    }
}

/** How frames lie in the audio. */
internal class Clock(val frameSamples: Int, val sampleRateHz: Int)

/** A word that is complete, in frames. */
private class Span(val text: String, val firstFrame: Long, val lastFrame: Long, val confidence: Float)

/** A kept frame on the line; [number] counts from the start of the stream. */
private class Frame(val number: Long, val token: Int, val logProbability: Float)

/** A run of one token inside one word; [logProbability] is the highest of its frames. */
private class Part(val text: String, val firstFrame: Long, val lastFrame: Long, val logProbability: Float)

/** CTC collapse of kept frames, in order, into words. Frame numbers that are missing are blank. */
private class Collapser(private val tokens: Tokens) {
    private var previous: Frame? = null
    private val parts = mutableListOf<Part>() // of the word that may still grow
    private var inRun = false // the last part ends at the previous frame, so that a repeat belongs to it

    fun copy(): Collapser {
        val twin = Collapser(tokens)
        twin.previous = previous
        twin.parts.addAll(parts)
        twin.inRun = inRun
        return twin
    }

    /** Adds to [words] those that are complete because this frame opens the next one. */
    fun add(frame: Frame, words: MutableList<Span>) {
        val before = previous
        previous = frame
        if (frame.token == tokens.blankId) return
        if (before != null && before.number == frame.number - 1 && before.token == frame.token) {
            extendRun(frame)
            return
        }
        inRun = false
        for ((position, text) in tokens.parts(frame.token).withIndex()) {
            if (position > 0) finish(words)
            if (text.isEmpty()) continue
            parts.add(Part(text, frame.number, frame.number, frame.logProbability))
            inRun = true
        }
    }

    /** The open word, if there is one, is complete. */
    fun finish(words: MutableList<Span>) {
        inRun = false
        if (parts.isEmpty()) return
        val mean = parts.sumOf { it.logProbability.toDouble() } / parts.size
        words.add(
            Span(
                text = parts.joinToString("") { it.text },
                firstFrame = parts.first().firstFrame,
                lastFrame = parts.last().lastFrame,
                confidence = minOf(1.0, exp(mean)).toFloat(),
            ),
        )
        parts.clear()
    }

    private fun extendRun(frame: Frame) {
        if (!inRun) return // a piece without letters belongs to no word's sound
        val last = parts.removeAt(parts.size - 1)
        parts.add(Part(last.text, last.firstFrame, frame.number, maxOf(last.logProbability, frame.logProbability)))
    }
}
