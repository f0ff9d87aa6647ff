package org.edge_asr.core.program

/**
 * A `.pte` loaded for running; it holds the state of one stream. What its methods promise is written in
 * edge_asr/contract.py. Use it from one thread at a time.
 */
interface Program : AutoCloseable {
    val metadata: Metadata

    /**
     * Consumes one chunk. [pcm] has [Metadata.chunkSamples] samples in -1..1, zeros after the end; [frames] of its frames
     * are real; frames whose blank probability is above [threshold] are skipped; [flush] runs the upper stack on what
     * waits. Throws [ProgramException].
     */
    fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean): Step

    /** The next step starts a new stream. The first step after loading does so anyway. */
    fun reset()
}

/** What a step said. The arrays are copies: the runtime's own memory is gone with the next call. */
class Step(
    /** [chunkFrames, vocabulary] log probabilities of the intermediate head, row after row. */
    val partial: FloatArray,
    /** [chunkFrames] whether the frame is kept for the upper stack. */
    val keep: BooleanArray,
    /** [index.size, vocabulary] log probabilities of the final head; [Metadata.blockFrames] rows at most. */
    val final: FloatArray,
    /** Frame of the stream that each row of [final] belongs to; empty where the upper stack did not run. */
    val index: LongArray,
    /** Kept frames that still wait for the upper stack. */
    val waiting: Int,
)

/** The file or the runtime is unfit; the message is one line for the user, what is wrong and what to do. */
class ProgramException(message: String, cause: Throwable? = null) : Exception(message, cause)
