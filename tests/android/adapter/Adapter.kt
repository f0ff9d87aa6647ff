package org.edge_asr.adapter

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.Stream
import org.edge_asr.core.stream.Update
import org.edge_asr.demo.program.ExecutorchProgram
import org.json.JSONObject
import org.pytorch.executorch.Module
import org.pytorch.executorch.trouble

/**
 * The app's `ExecutorchProgram` for tests/android/test_executorch_adapter.py. Arguments: a model, a file of float32 samples, a threshold,
 * and for each of the others a trouble: what the app is told then. Prints a line of what was heard, then one for each trouble.
 */
fun main(arguments: Array<String>) {
    val (model, pcm, threshold) = arguments
    val bytes = ByteBuffer.wrap(File(pcm).readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    val samples = FloatArray(bytes.remaining()).also { bytes.get(it) }
    ExecutorchProgram.open(File(model)).use { println(heard(Stream(it, threshold.toFloat()), samples)) }
    for (one in arguments.drop(3)) {
        trouble = one
        println(JSONObject().put("trouble", one).put("told", told(File(model), samples)).put("closed", Module.closedModules))
        trouble = ""
    }
}

private fun heard(stream: Stream, samples: FloatArray): JSONObject {
    val updates: List<Update> = listOf(stream.accept(samples), stream.finish())
    val keep = updates.flatMap { it.newSteps }.joinToString("") { step -> step.keep.joinToString("") { if (it) "1" else "0" } }
    return JSONObject().put("text", updates.last().final).put("keep", keep)
}

private fun told(model: File, samples: FloatArray): String =
    try {
        ExecutorchProgram.open(model).use { heard(Stream(it), samples) }
        "nothing"
    } catch (error: ProgramException) {
        error.message.orEmpty()
    }
