package org.edge_asr.core.program

/** What the file says about itself; see `Metadata` in edge_asr/contract.py. */
data class Metadata(
    val contractVersion: Int,
    val sampleRateHz: Int,
    /** Samples of a step. */
    val chunkSamples: Int,
    /** Frames of a step, and rows of an upper block. */
    val chunkFrames: Int,
    /** Samples of a frame. */
    val frameSamples: Int,
    val blankId: Int,
    /** Text of each output; `▁` opens a word. */
    val pieces: List<String>,
    val defaultThreshold: Float,
    /** int8, int4 or fp32. */
    val precision: String,
    val lowerLayers: Int,
    val upperLayers: Int,
    val training: Map<String, String>,
    val exporter: Map<String, String>,
) {
    val frameS: Double get() = frameSamples.toDouble() / sampleRateHz
    val chunkMs: Double get() = 1_000.0 * chunkSamples / sampleRateHz

    companion object
}
