package org.edge_asr.demo.program

import java.io.File
import org.edge_asr.core.program.Metadata
import org.edge_asr.core.program.ModelFile
import org.edge_asr.core.program.Program
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.program.Step
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/** A `.pte` in ExecuTorch's Android runtime. Its outputs alias memory that the next call overwrites: they are copied at once. */
class ExecutorchProgram private constructor(private val module: Module, override val metadata: Metadata) : Program {
    private val vocabulary = metadata.pieces.size
    private val pcmShape = longArrayOf(1, metadata.chunkSamples.toLong())
    private var starts = true // the next step is a stream's first

    override fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean): Step {
        val outputs = attempt("run") {
            module.execute(
                STEP,
                EValue.from(Tensor.fromBlob(pcm, pcmShape)),
                whole(frames.toLong()),
                EValue.from(Tensor.fromBlob(floatArrayOf(threshold), ONE)),
                whole(if (flush) 1 else 0),
                whole(if (starts) 1 else 0),
            )
        }
        starts = false
        if (outputs.size != STEP_OUTPUTS) throw breach()
        return attempt("read") { copied(outputs) }
    }

    override fun reset() {
        starts = true
    }

    override fun close() = module.close()

    private fun copied(outputs: Array<EValue>): Step {
        val (partial, keep, final) = outputs.take(3).map { it.toTensor().dataAsFloatArray }
        val (index, waiting) = outputs.takeLast(2).map { it.toTensor().dataAsLongArray }
        val (rows, block) = metadata.chunkFrames to metadata.blockFrames
        val fits = partial.size == rows * vocabulary && keep.size == rows &&
            final.size == block * vocabulary && index.size == block && waiting.size == 1
        if (!fits) throw breach()
        val resolved = index.indexOfFirst { it < 0 }.let { if (it < 0) index.size else it }
        return Step(
            partial,
            BooleanArray(rows) { keep[it] > 0.5f },
            final.copyOf(resolved * vocabulary),
            index.copyOf(resolved),
            waiting[0].toInt(),
        )
    }

    companion object {
        private const val STEP = "step"
        private const val METADATA = "metadata"
        private const val STEP_OUTPUTS = 5
        private val ONE = longArrayOf(1)

        /**
         * Checks, maps and loads [file]; [threads] compute, for all programs of the process. Throws [ProgramException] where the
         * file or the runtime is unfit.
         */
        fun open(file: File, threads: Int = 1): ExecutorchProgram {
            ModelFile.check(file)
            val module = attempt("load") { Module.load(file.path, Module.LOAD_MODE_MMAP, threads) }
            try {
                val methods = attempt("list") { module.getMethods() }
                if (!methods.toList().containsAll(listOf(STEP, METADATA))) {
                    throw ProgramException("not a model made by edge-asr (it lacks its methods): export one with edge-asr")
                }
                val program = ExecutorchProgram(module, metadata(module))
                attempt("load") { module.loadMethod(STEP) }
                return program
            } catch (error: ProgramException) {
                module.close()
                throw error
            }
        }

        private fun metadata(module: Module): Metadata {
            val bytes = attempt("describe") { module.execute(METADATA).single().toTensor().dataAsUnsignedByteArray }
            return Metadata.fromJson(String(bytes, Charsets.UTF_8))
        }

        private fun whole(value: Long): EValue = EValue.from(Tensor.fromBlob(longArrayOf(value), ONE))

        private fun breach() = ProgramException("the model does not follow its contract (other outputs): export it again")

        /** The runtime throws RuntimeExceptions of several kinds, and LinkageErrors on a phone that its libraries are not for. */
        private inline fun <T> attempt(what: String, action: () -> T): T =
            try {
                action()
            } catch (error: RuntimeException) {
                throw ProgramException("the runtime cannot $what the model (${firstLine(error)}): export it again", error)
            } catch (error: LinkageError) {
                throw ProgramException("the runtime does not start on this phone (${firstLine(error)}): it needs a 64-bit one", error)
            }

        private fun firstLine(error: Throwable): String = error.message?.lineSequence()?.first() ?: error.javaClass.simpleName
    }
}
