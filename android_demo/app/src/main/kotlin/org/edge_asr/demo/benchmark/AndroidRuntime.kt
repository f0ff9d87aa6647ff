package org.edge_asr.demo.benchmark

import android.content.Context
import java.io.File
import org.edge_asr.core.benchmark.ColdStart
import org.edge_asr.core.benchmark.Recording
import org.edge_asr.core.benchmark.Runtime
import org.edge_asr.core.program.Program
import org.edge_asr.demo.program.ExecutorchProgram

/** ExecuTorch, in this process and in fresh ones. */
class AndroidRuntime(context: Context) : Runtime {
    private val fresh = FreshProcesses(context)

    override val version: String = VERSION

    override fun open(model: File, threads: Int): Program = ExecutorchProgram.open(model, threads)

    override fun coldStart(model: File, threads: Int, threshold: Float, recordings: List<Recording>): ColdStart =
        fresh.coldStart(ColdStartRequest(model.path, threads, threshold, recordings.map { it.file.path }))

    companion object {
        /** Of the library that is packed, which does not tell it itself: as gradle/libs.versions.toml has it. */
        const val VERSION = "executorch 1.5.1"
    }
}
