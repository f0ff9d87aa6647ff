package org.edge_asr.core.stream

import org.edge_asr.core.program.CONTRACT_VERSION
import org.edge_asr.core.program.Metadata
import org.edge_asr.core.program.Program
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step

/**
 * A program whose audio says what it hears: the first sample of a frame is its token, the second the probability that it is
 * blank. It follows the contract as a `.pte` does: kept frames wait until [upperRows] are there, or a flush,
 * and then none waits. A reset is carried by the next step.
 *
 * The intermediate head mishears `B` as `D`.
 */
class ScriptedProgram(private val upperRows: Int = 4, sampleRateHz: Int = 16_000) : Program {
    override val metadata = Metadata(
        contractVersion = CONTRACT_VERSION,
        sampleRateHz = sampleRateHz,
        chunkSamples = CHUNK_FRAMES * FRAME_SAMPLES,
        chunkFrames = CHUNK_FRAMES,
        frameSamples = FRAME_SAMPLES,
        blankId = 0,
        pieces = listOf("<blank>", "▁A", "B", "▁C", "D"),
        defaultThreshold = 0.5f,
        precision = "fp32",
        lowerLayers = 1,
        upperLayers = 1,
        training = emptyMap(),
        exporter = emptyMap(),
    )

    /** What a step was called with. */
    data class Call(val pcm: List<Float>, val frames: Int, val threshold: Float, val flush: Boolean)

    val calls = mutableListOf<Call>()
    var resets = 0
    var closed = false
    var failing = false // the next steps throw
    var neverDrains = false // a flush resolves nothing
    private var starts = true
    private var frames = 0L
    private val waiting = ArrayDeque<Pair<Long, Int>>()

    init {
        waiting.add(77L to 3) // fresh memory is not zero
    }

    override fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean): Step {
        calls += Call(pcm.toList(), frames, threshold, flush)
        if (failing) throw ProgramException("the runtime gave up")
        if (starts) {
            this.frames = 0
            waiting.clear()
        }
        starts = false
        val tokens = IntArray(CHUNK_FRAMES) { Math.round(pcm[it * FRAME_SAMPLES] * TOKEN_SCALE) }
            .map { if (it in metadata.pieces.indices) it else 0 }
        val keep = BooleanArray(CHUNK_FRAMES) { it < frames && pcm[it * FRAME_SAMPLES + 1] <= threshold }
        for (row in 0 until frames) if (keep[row]) waiting.add(this.frames + row to tokens[row])
        this.frames += frames
        val runs = !neverDrains && (waiting.size >= upperRows || flush)
        val resolved = if (runs) waiting.toList().also { waiting.clear() } else emptyList()
        return Step(
            partial = rows(tokens.map { if (it == 2) 4 else it }),
            keep = keep,
            final = rows(resolved.map { it.second }),
            index = LongArray(resolved.size) { resolved[it].first },
            waiting = waiting.size,
        )
    }

    override fun reset() {
        resets += 1
        starts = true
    }

    override fun close() {
        closed = true
    }

    private fun rows(tokens: List<Int>): FloatArray {
        val vocabulary = metadata.pieces.size
        val out = FloatArray(tokens.size * vocabulary) { -9f }
        for ((row, token) in tokens.withIndex()) out[row * vocabulary + token] = -0.5f
        return out
    }

    companion object {
        const val CHUNK_FRAMES = 4
        const val FRAME_SAMPLES = 8
        const val FRAME_S = FRAME_SAMPLES / 16_000.0
        private const val TOKEN_SCALE = 64

        /** Audio of [script]: a letter a frame, `a` for the token `▁A` and so on, `_` for a kept blank, `.` for a sure one. */
        fun audio(script: String): FloatArray {
            val pcm = FloatArray(script.length * FRAME_SAMPLES) { 1 / 256f }
            for ((frame, letter) in script.withIndex()) {
                pcm[frame * FRAME_SAMPLES] = if (letter in "._") 0f else (letter - 'a' + 1) / TOKEN_SCALE.toFloat()
                pcm[frame * FRAME_SAMPLES + 1] = if (letter == '.') 0.75f else 0.25f
            }
            return pcm
        }
    }
}
