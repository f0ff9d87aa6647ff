package org.edge_asr.core.stream

import org.edge_asr.core.program.Program

/**
 * One utterance or one endless microphone over [program], which it resets and does not close. Same semantics as `Stream`
 * in edge_asr/recognizer.py: how the samples are cut over calls does not change the text. One thread at a time; only
 * [threshold] may be set from another, and holds from the next step on.
 */
class Stream(private val program: Program, threshold: Float = program.metadata.defaultThreshold) {
    @Volatile
    var threshold: Float = threshold

    /** Mono, 16 kHz, in -1..1; any number of samples. Throws [IllegalArgumentException] for NaN or integer-scaled ones, and stays as it was. */
    fun accept(pcm: FloatArray, count: Int = pcm.size): Update = TODO()

    fun accept(pcm: ShortArray, count: Int = pcm.size): Update = TODO()

    /** Ends the stream: runs what waits. Only [restart] is allowed after it. */
    fun finish(): Update = TODO()

    /** Begins anew with the same program. */
    fun restart(): Unit = TODO()
}
