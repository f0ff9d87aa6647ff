package org.edge_asr.core.stream

import java.util.Locale
import kotlin.math.abs
import org.edge_asr.core.audio.Resampler
import org.edge_asr.core.program.Program
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step

/** What the microphone and the files are brought to, whatever the rate of the model is. */
const val SAMPLE_RATE_HZ = 16_000

/** The threshold that keeps every frame. */
const val NEVER_SKIP = 1f

/**
 * One utterance or one endless microphone over [program], which it resets and does not close. Same semantics as `Stream`
 * in edge_asr/recognizer.py: how the samples are cut over calls does not change the text. One thread at a time; only
 * [threshold] may be set from another, and holds from the next step on.
 *
 * Samples come at [pcmHz], and are resampled where the model is of another rate.
 *
 * Where the program fails ([ProgramException]) the stream is over; only [restart] is allowed then.
 */
class Stream(
    private val program: Program,
    threshold: Float = program.metadata.defaultThreshold,
    private val pcmHz: Int = SAMPLE_RATE_HZ,
) {
    /** From 0 to 1; a frame whose blank probability is above it is skipped. Setting another throws [IllegalArgumentException]. */
    @Volatile
    var threshold: Float = checkedThreshold(threshold)
        set(value) {
            field = checkedThreshold(value)
        }

    private val metadata = program.metadata
    private val tokens = Tokens(metadata)
    private val clock = Clock(metadata.frameSamples, metadata.sampleRateHz)
    private val chunk = FloatArray(metadata.chunkSamples)
    private var filled = 0 // samples of the chunk that are real
    private var accepted = 0L // samples since the start of the stream, at `pcmHz`
    private var resampler: Resampler? = null // where the model is of another rate
    private var waiting = 0
    private var over = true
    private var line = TimeLine(tokens, clock)
    private val final = StringBuilder()
    private var finalText = ""
    private var partialWords: List<Word> = emptyList()
    private var partialText = ""
    private var tally = Tally()
    private var newWords = mutableListOf<Word>() // since the last answer, and so are the steps
    private var newSteps = mutableListOf<StepInfo>()

    init {
        restart()
    }

    /**
     * Mono, at [pcmHz], in -1..1; the first [count] samples of [pcm], any number. Throws [IllegalArgumentException] for NaN or
     * integer-scaled ones, and stays as it was; [IllegalStateException] where the stream is over.
     */
    fun accept(pcm: FloatArray, count: Int = pcm.size): Update {
        requireOpen()
        requireCount(count, pcm.size)
        requireSound(pcm, count)
        return heard(pcm, count)
    }

    /** The same for samples as a microphone gives them. */
    fun accept(pcm: ShortArray, count: Int = pcm.size): Update {
        requireOpen()
        requireCount(count, pcm.size)
        return heard(FloatArray(count) { pcm[it] * INT16_SCALE }, count)
    }

    /** Ends the stream: runs what waits. Only [restart] is allowed after it. */
    fun finish(): Update {
        requireOpen()
        resampler?.finish()?.let { take(it, it.size) }
        if (filled > 0) step(flush = true)
        while (waiting > 0) {
            val before = waiting
            step(flush = true)
            if (waiting >= before) {
                over = true
                throw ProgramException("the model does not end its stream (flushing resolves no frame): export it again")
            }
        }
        settle(line.finish())
        over = true
        return answer(emptyList())
    }

    /** Begins anew with the same program: nothing is loaded again. */
    fun restart() {
        program.reset()
        line = TimeLine(tokens, clock)
        resampler = if (metadata.sampleRateHz == pcmHz) null else Resampler(pcmHz, metadata.sampleRateHz)
        filled = 0
        accepted = 0
        waiting = 0
        final.setLength(0)
        finalText = ""
        partialWords = emptyList()
        partialText = ""
        tally = Tally()
        newWords = mutableListOf()
        newSteps = mutableListOf()
        over = false
    }

    private fun heard(pcm: FloatArray, count: Int): Update {
        accepted += count
        val resampled = resampler?.process(pcm, count)
        take(resampled ?: pcm, resampled?.size ?: count)
        return answer(if (newSteps.isEmpty()) partialWords else line.partialWords())
    }

    /** Fills the chunk with samples at the rate of the model, and runs it whenever it is full. */
    private fun take(pcm: FloatArray, count: Int) {
        var done = 0
        while (done < count) {
            val samples = minOf(count - done, chunk.size - filled)
            pcm.copyInto(chunk, filled, done, done + samples)
            filled += samples
            done += samples
            if (filled == chunk.size) step(flush = false)
        }
    }

    /** Runs the chunk as far as it is filled, zeros after that. */
    private fun step(flush: Boolean) {
        val samples = filled
        filled = 0
        chunk.fill(0f, samples)
        val frames = (samples + metadata.frameSamples - 1) / metadata.frameSamples
        val limit = threshold // once: it may change meanwhile
        over = true // should it fail
        val startedNs = System.nanoTime()
        val result = program.step(chunk, frames, limit, flush)
        val stepNs = System.nanoTime() - startedNs
        val words = line.add(result, samples)
        over = false
        waiting = result.waiting
        count(result, frames, samples, stepNs, limit)
        settle(words)
    }

    private fun count(result: Step, frames: Int, samples: Int, stepNs: Long, limit: Float) {
        val keep = result.keep.copyOf(frames)
        val upperRan = result.index.isNotEmpty()
        newSteps.add(StepInfo(keep, upperRan, result.waiting, stepNs / 1e6, limit))
        tally.add(frames, keep.count { it }, upperRan, samples, stepNs)
    }

    private fun settle(words: List<Word>) {
        for (word in words) {
            if (final.isNotEmpty()) final.append(' ')
            final.append(word.text)
        }
        if (words.isNotEmpty()) finalText = final.toString()
        newWords.addAll(words)
    }

    private fun answer(partial: List<Word>): Update {
        val textBefore = partialText
        partialWords = partial
        partialText = partial.joinToString(" ") { it.text }
        val update = Update(
            final = finalText,
            partial = partialText,
            changed = newWords.isNotEmpty() || partialText != textBefore,
            newWords = newWords,
            partialWords = partial,
            newSteps = newSteps,
            counters = tally.counters(metadata.sampleRateHz),
        )
        newWords = mutableListOf()
        newSteps = mutableListOf()
        return update
    }

    private fun requireOpen() = check(!over) { "this stream is over: restart it, or make another" }

    private fun requireCount(count: Int, size: Int) =
        require(count in 0..size) { "asked to take $count samples of an array of $size" }

    private fun requireSound(pcm: FloatArray, count: Int) {
        var peak = 0f
        for (at in 0 until count) {
            val loudness = abs(pcm[at])
            require(loudness <= Float.MAX_VALUE) { // false for NaN, too
                val atS = String.format(Locale.ROOT, "%.2f", (accepted + at).toDouble() / pcmHz)
                "the PCM sample at $atS s is not a finite number (NaN or infinite): mend its source"
            }
            peak = maxOf(peak, loudness)
        }
        require(peak <= LARGEST_SAMPLE) {
            "float PCM must lie in [-1, 1], this reaches ${peak.toLong()}: pass 16-bit samples, or divide by 32768"
        }
    }

    private companion object {
        const val INT16_SCALE = 1 / 32_768f
        const val LARGEST_SAMPLE = 64f // float audio may exceed 1 a little; beyond this it was scaled as integers are

        fun checkedThreshold(value: Float): Float {
            require(value in 0f..1f) { "the threshold must lie between 0 and 1, not $value" }
            return value
        }
    }
}

/** Counters while they grow. */
private class Tally {
    private var frames = 0L
    private var keptFrames = 0L
    private var upperRuns = 0L
    private var steps = 0L
    private var samples = 0L
    private var computeNs = 0L

    fun add(stepFrames: Int, kept: Int, upperRan: Boolean, stepSamples: Int, stepNs: Long) {
        frames += stepFrames
        keptFrames += kept
        if (upperRan) upperRuns += 1
        steps += 1
        samples += stepSamples
        computeNs += stepNs
    }

    fun counters(sampleRateHz: Int) =
        Counters(frames, keptFrames, upperRuns, steps, samples.toDouble() / sampleRateHz, computeNs / 1e9)
}
