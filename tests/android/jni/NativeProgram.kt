package org.edge_asr.jni

import java.io.File
import org.edge_asr.core.program.Metadata
import org.edge_asr.core.program.ModelFile
import org.edge_asr.core.program.Program
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step

/** What the library says is wrong. */
class NativeFailure(message: String) : RuntimeException(message)

/** A [Program] over ExecuTorch's C++ runtime, in place of the phone's Java bindings. Throws [ProgramException]. */
class NativeProgram(file: File, threads: Int) : Program {
    private var handle: Long
    override val metadata: Metadata

    init {
        ModelFile.check(file)
        handle = translated { open(file.path.toByteArray(), threads) }
        metadata = Metadata.fromJson(String(json(handle), Charsets.UTF_8))
    }

    private val vocabulary = metadata.pieces.size
    private val rows = metadata.chunkFrames
    private val block = metadata.blockFrames

    override fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean): Step {
        val partial = FloatArray(rows * vocabulary)
        val keep = BooleanArray(rows)
        val final = FloatArray(block * vocabulary)
        val index = LongArray(block)
        val said = translated { step(handle, pcm, frames, threshold, flush, partial, keep, final, index) }
        val resolved = said.toInt()
        return Step(partial, keep, final.copyOf(resolved * vocabulary), index.copyOf(resolved), (said shr 32).toInt())
    }

    override fun reset() = translated { restart(handle) }

    override fun close() {
        if (handle != 0L) free(handle)
        handle = 0
    }

    private inline fun <T> translated(call: () -> T): T =
        try {
            call()
        } catch (error: NativeFailure) {
            throw ProgramException(error.message ?: "the runtime did not say why", error)
        }

    private companion object {
        init {
            System.load(System.getProperty("edge_asr.jni"))
        }

        @JvmStatic
        external fun open(path: ByteArray, threads: Int): Long

        @JvmStatic
        external fun json(handle: Long): ByteArray

        @JvmStatic
        external fun step(
            handle: Long,
            pcm: FloatArray,
            frames: Int,
            threshold: Float,
            flush: Boolean,
            partial: FloatArray,
            keep: BooleanArray,
            final: FloatArray,
            index: LongArray,
        ): Long

        @JvmStatic
        external fun restart(handle: Long)

        @JvmStatic
        external fun free(handle: Long)
    }
}
