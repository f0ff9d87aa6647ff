package org.edge_asr.adapter

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.Stream
import org.edge_asr.core.stream.Update
import org.edge_asr.demo.program.ExecutorchProgram
import org.json.JSONArray
import org.json.JSONObject
import org.pytorch.executorch.EValue
import org.pytorch.executorch.ExecutorchRuntimeException
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/**
 * The app's `ExecutorchProgram` for tests/android/test_executorch_adapter.py, which prints a line of JSON for each thing:
 *
 * `hear MODEL PCM THRESHOLD...`: what one program hears in a file of float32 samples, a stream for each threshold.
 *
 * `told MODEL...`: what the app is told of each.
 *
 * `open MODEL...`: the same, and how many modules are open after them.
 *
 * `module MODEL`: what the stand-in itself does, where a phone's `Module` does something that is easily forgotten.
 */
fun main(arguments: Array<String>) {
    val rest = arguments.drop(1)
    when (arguments[0]) {
        "hear" -> hear(File(rest[0]), samples(File(rest[1])), rest.drop(2).map(String::toFloat))
        "told" -> rest.forEach(::tell)
        "open" -> {
            rest.forEach(::tell)
            println(JSONObject().put("open", Module.open))
        }
        "module" -> println(ofTheModule(rest[0]))
    }
}

private fun samples(pcm: File): FloatArray {
    val bytes = ByteBuffer.wrap(pcm.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(bytes.remaining()).also { bytes.get(it) }
}

private fun hear(model: File, samples: FloatArray, thresholds: List<Float>) =
    ExecutorchProgram.open(model).use { program -> for (threshold in thresholds) println(heard(Stream(program, threshold), samples)) }

private fun heard(stream: Stream, samples: FloatArray): JSONObject {
    val updates: List<Update> = listOf(stream.accept(samples), stream.finish())
    val keep = updates.flatMap { it.newSteps }.joinToString("") { step -> step.keep.joinToString("") { if (it) "1" else "0" } }
    return JSONObject().put("text", updates.last().final).put("keep", keep)
}

private fun tell(model: String) = println(JSONObject().put("told", told(File(model))))

private fun told(model: File): String =
    try {
        ExecutorchProgram.open(model).use { heard(Stream(it), FloatArray(3 * it.metadata.chunkSamples)) }
        "nothing"
    } catch (error: ProgramException) {
        error.message.orEmpty()
    }

private fun ofTheModule(model: String): JSONObject {
    val pcm = (0..2).map { at -> FloatArray(ExecutorchProgram.open(File(model)).use { it.metadata.chunkSamples }) { 0.1f * at } }
    val answers = JSONArray()
    for (mode in 0..3) {
        Module.load(model, mode, 1).use { module ->
            val first = module.execute("step", *inputs(pcm[1], reset = 1))[0].toTensor()
            val before = first.dataAsFloatArray
            val second = module.execute("step", *inputs(pcm[2], reset = 0))[0].toTensor().dataAsFloatArray
            answers.put(JSONArray(listOf(before.contentEquals(second), first.dataAsFloatArray.contentEquals(second))))
        }
    }
    return Module.load(model, Module.LOAD_MODE_MMAP, 1).use { module ->
        JSONObject()
            .put("methods", JSONArray(module.getMethods().sorted()))
            .put("equal before and after the next call", answers)
            .put("index of a call on ones", JSONArray(module.execute("step")[3].toTensor().dataAsLongArray.toList()))
            .put("missing", failure { module.execute("forward", *inputs(pcm[0], reset = 0)) })
            .put("missing on ones", failure { module.execute("forward") })
            .put("missing when loaded", failure { module.loadMethod("forward") })
            .put("closed", failure { module.close(); module.getMethods() })
    }
}

private fun inputs(pcm: FloatArray, reset: Long): Array<EValue> {
    val one = longArrayOf(1)
    fun whole(value: Long) = Tensor.fromBlob(longArrayOf(value), one)
    val tensors = listOf(Tensor.fromBlob(pcm, longArrayOf(1, pcm.size.toLong())), whole(1), Tensor.fromBlob(floatArrayOf(1f), one), whole(1), whole(reset))
    return tensors.map(EValue::from).toTypedArray()
}

private fun failure(call: () -> Unit): String =
    try {
        call()
        "none"
    } catch (error: ExecutorchRuntimeException) {
        error.message!!.lineSequence().first()
    } catch (error: IllegalStateException) {
        error.message!!
    }
