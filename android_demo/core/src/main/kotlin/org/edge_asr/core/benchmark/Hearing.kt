package org.edge_asr.core.benchmark

import org.edge_asr.core.program.Program
import org.edge_asr.core.stream.SAMPLE_RATE_HZ
import org.edge_asr.core.stream.Stream
import org.edge_asr.core.stream.Update

/** One recording, heard once. */
class Heard(
    val text: String,
    val audioS: Double,
    /** Inside the program's steps. */
    val computeS: Double,
    val stepMs: DoubleArray,
    /** Of each step, whether the upper layers ran. */
    val stepUpper: BooleanArray,
    val frames: Long,
    val keptFrames: Long,
    val upperRuns: Long,
    /** Audio heard, plus compute, when the first text was there; null where none came. */
    val firstPartialMs: Double?,
    /** Compute from the last sample in to the final text out. */
    val endOfSpeechMs: Double,
)

/** Hears recordings of [SAMPLE_RATE_HZ] with [program] at [threshold], chunk by chunk as a microphone would bring them. */
class Listener(private val program: Program, threshold: Float) {
    private val stream = Stream(program, threshold)
    private val chunk = program.metadata.let { FloatArray((it.chunkSamples.toLong() * SAMPLE_RATE_HZ / it.sampleRateHz).toInt()) }

    /** [beforeChunk] may throw, to end it. Throws what the program throws. */
    fun hear(samples: FloatArray, beforeChunk: () -> Unit = {}): Heard {
        stream.restart()
        val answers = ArrayList<Answer>()
        var at = 0
        while (at < samples.size) {
            beforeChunk()
            val count = minOf(chunk.size, samples.size - at)
            samples.copyInto(chunk, 0, at, at + count)
            at += count
            answers.add(timed { stream.accept(chunk, count) })
        }
        answers.add(timed { stream.finish() })
        return heard(answers)
    }

    private fun heard(answers: List<Answer>): Heard {
        val steps = answers.flatMap { it.update.newSteps }
        val last = answers.last().update
        return Heard(
            text = last.final,
            audioS = last.counters.audioS,
            computeS = last.counters.computeS,
            stepMs = DoubleArray(steps.size) { steps[it].latencyMs },
            stepUpper = BooleanArray(steps.size) { steps[it].upperRan },
            frames = last.counters.frames,
            keptFrames = last.counters.keptFrames,
            upperRuns = last.counters.upperRuns,
            firstPartialMs = answers.firstOrNull { it.hasText }?.let { 1e3 * it.update.counters.audioS + it.lastStepMs },
            endOfSpeechMs = answers.takeLast(2).sumOf { it.callMs },
        )
    }

    private inline fun timed(call: () -> Update): Answer {
        val startedNs = System.nanoTime()
        val update = call()
        return Answer((System.nanoTime() - startedNs) / 1e6, update)
    }

    /** What a call of the stream said, and how long it took. */
    private class Answer(val callMs: Double, val update: Update) {
        val hasText: Boolean get() = update.final.isNotEmpty() || update.partial.isNotEmpty()

        /** The last step, and what the call did besides steps. */
        val lastStepMs: Double get() = callMs - update.newSteps.dropLast(1).sumOf { it.latencyMs }
    }
}
