// A stand-in for ExecuTorch's Android classes on a desktop: the same signatures, behind them the real runtime by way of NativeProgram.
// As on a phone, an output's memory is overwritten by the next call. Set `trouble` to have one thing go wrong.
package org.pytorch.executorch

import java.io.Closeable
import java.io.File
import org.edge_asr.jni.NativeProgram
import org.json.JSONArray
import org.json.JSONObject

var trouble = ""

class Module private constructor(path: String) : Closeable {
    private val program = NativeProgram(File(path), threads = 1)
    private val rows = program.metadata.chunkFrames
    private val block = program.metadata.blockFrames
    private val vocabulary = program.metadata.pieces.size
    private val partial = FloatArray(rows * vocabulary)
    private val keep = FloatArray(rows)
    private val final = FloatArray(block * vocabulary)
    private val index = LongArray(block)
    private val waiting = LongArray(1)
    var closed = false
        private set

    fun getMethods(): Array<String> = if (trouble == "methods") arrayOf("forward") else arrayOf("metadata", "reset", "step")

    fun loadMethod(methodName: String) = check(methodName in getMethods())

    fun execute(methodName: String, vararg inputs: EValue): Array<EValue> {
        check(!closed)
        for (memory in listOf(partial, keep, final)) memory.fill(Float.NaN)
        for (memory in listOf(index, waiting)) memory.fill(Long.MIN_VALUE)
        return when (methodName) {
            "metadata" -> arrayOf(EValue.from(Tensor.ofBytes(described().toByteArray())))
            "reset" -> reset(inputs.single().toTensor())
            "step" -> step(inputs.map { it.toTensor() })
            else -> error("no method $methodName")
        }
    }

    private fun reset(unused: Tensor): Array<EValue> {
        check(unused.shape.contentEquals(longArrayOf(1)) && unused.floats!!.size == 1)
        program.reset()
        return emptyArray()
    }

    private fun step(inputs: List<Tensor>): Array<EValue> {
        val (pcm, frames, threshold, flush) = inputs
        check(pcm.shape.contentEquals(longArrayOf(1, program.metadata.chunkSamples.toLong())))
        for (input in listOf(frames, threshold, flush)) check(input.shape.contentEquals(longArrayOf(1)))
        if (trouble == "step") throw RuntimeException("[ExecuTorch Error 0x12] Invalid argument: x\nDetailed logs: y")
        val result = program.step(pcm.floats!!, frames.longs!![0].toInt(), threshold.floats!![0], flush.longs!![0] == 1L)
        result.partial.copyInto(partial)
        for (row in 0 until rows) keep[row] = if (result.keep[row]) 1f else 0f
        result.final.copyInto(final)
        index.fill(-1)
        result.index.copyInto(index)
        waiting[0] = result.waiting.toLong()
        val sizes = if (trouble == "sizes") FloatArray(3) else keep
        return arrayOf(Tensor.of(partial), Tensor.of(sizes), Tensor.of(final), Tensor.of(index), Tensor.of(waiting)).map(EValue::from).toTypedArray()
    }

    private fun described(): String {
        val its = program.metadata
        return JSONObject().put("format", "edge-asr").put("contract_version", its.contractVersion).put("sample_rate_hz", its.sampleRateHz)
            .put("chunk_samples", its.chunkSamples).put("chunk_frames", its.chunkFrames).put("frame_samples", its.frameSamples)
            .put("blank_id", its.blankId).put("pieces", JSONArray(its.pieces)).put("default_threshold", its.defaultThreshold.toDouble())
            .put("precision", its.precision).put("lower_layers", its.lowerLayers).put("upper_layers", its.upperLayers)
            .put("training", JSONObject()).put("exporter", JSONObject()).toString()
    }

    override fun close() {
        program.close()
        closed = true
        closedModules += 1
    }

    companion object {
        const val LOAD_MODE_MMAP = 1
        var closedModules = 0

        fun load(modelPath: String?, loadMode: Int = 0, numThreads: Int = 0): Module {
            check(loadMode == LOAD_MODE_MMAP && numThreads > 0)
            if (trouble == "library") throw UnsatisfiedLinkError("couldn't find libexecutorch.so")
            return Module(modelPath!!)
        }
    }
}

class EValue private constructor(private val tensor: Tensor) {
    fun toTensor(): Tensor = tensor

    companion object {
        fun from(tensor: Tensor) = EValue(tensor)
    }
}

class Tensor private constructor(val shape: LongArray, val floats: FloatArray?, val longs: LongArray?, private val bytes: ByteArray?) {
    val dataAsFloatArray: FloatArray get() = floats!!.copyOf()
    val dataAsLongArray: LongArray get() = longs!!.copyOf()
    val dataAsUnsignedByteArray: ByteArray get() = bytes!!.copyOf()

    companion object {
        fun fromBlob(data: FloatArray, shape: LongArray) = Tensor(checked(shape, data.size), data.copyOf(), null, null)

        fun fromBlob(data: LongArray, shape: LongArray) = Tensor(checked(shape, data.size), null, data.copyOf(), null)

        fun of(memory: FloatArray) = Tensor(longArrayOf(memory.size.toLong()), memory, null, null)

        fun of(memory: LongArray) = Tensor(longArrayOf(memory.size.toLong()), null, memory, null)

        fun ofBytes(memory: ByteArray) = Tensor(longArrayOf(memory.size.toLong()), null, null, memory)

        private fun checked(shape: LongArray, size: Int): LongArray = shape.also { check(it.reduce(Long::times) == size.toLong()) }
    }
}
