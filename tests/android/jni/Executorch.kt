// A desktop stand-in for ExecuTorch's Android classes: their signatures and behaviour, over executorch::extension::Module of the
// C++ SDK (extension_module.cpp), which is what ExecuTorch's JNI layer wraps on a phone.
package org.pytorch.executorch

import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder

class Module private constructor(path: String, loadMode: Int, threads: Int) : Closeable {
    private var handle = create(path.toByteArray(), loadMode, threads)

    init {
        loaded += 1
        open += 1
        try {
            getMethods() // a phone lists them here, too: it is where an unfit file is refused
        } catch (error: RuntimeException) {
            close()
            throw error
        }
    }

    fun getMethods(): Array<String> = methods(alive())

    fun loadMethod(methodName: String) {
        val code = load(alive(), methodName.toByteArray())
        if (code != 0) throw ExecutorchRuntimeException(code, "Failed to load method: $methodName")
    }

    /** The outputs alias the method's memory, which its next call overwrites. Without inputs the method runs on ones. */
    fun execute(methodName: String, vararg inputs: EValue): Array<EValue> {
        val tensors = inputs.map { it.toTensor() }
        val types = IntArray(tensors.size) { tensors[it].type }
        val shapes = Array(tensors.size) { tensors[it].shape() }
        val outputs = run(alive(), methodName.toByteArray(), types, shapes, Array(tensors.size) { tensors[it].data })
        return Array(outputs.size) { EValue.from(outputs[it]) }
    }

    override fun close() {
        if (handle == 0L) return
        free(handle)
        handle = 0
        open -= 1
    }

    private fun alive(): Long = handle.also { check(it != 0L) { "Module has been destroyed" } }

    companion object {
        const val LOAD_MODE_FILE = 0
        const val LOAD_MODE_MMAP = 1

        /** Modules of this process: ever loaded, and not closed yet. */
        var loaded = 0
            private set
        var open = 0
            private set

        init {
            System.load(System.getProperty("edge_asr.jni"))
        }

        @JvmStatic
        @JvmOverloads
        fun load(modelPath: String?, loadMode: Int = LOAD_MODE_FILE, numThreads: Int = 0): Module = Module(modelPath!!, loadMode, numThreads)

        @JvmStatic
        private external fun create(path: ByteArray, loadMode: Int, threads: Int): Long

        @JvmStatic
        private external fun methods(handle: Long): Array<String>

        @JvmStatic
        private external fun load(handle: Long, method: ByteArray): Int

        @JvmStatic
        private external fun run(handle: Long, method: ByteArray, types: IntArray, shapes: Array<LongArray>, data: Array<ByteBuffer>): Array<Tensor>

        @JvmStatic
        private external fun free(handle: Long)
    }
}

/** Made by the native code, too. Some versions of the library add their log to the message. */
class ExecutorchRuntimeException(val errorCode: Int, details: String) :
    RuntimeException("[ExecuTorch Error 0x${Integer.toHexString(errorCode)}] ${MEANINGS.getValue(errorCode)}: $details\nDetailed logs:\nnone")

private val MEANINGS = mapOf(
    0x01 to "Internal error",
    0x10 to "Operation not supported",
    0x12 to "Invalid argument",
    0x14 to "Operator missing",
    0x20 to "Resource not found",
    0x22 to "Access failed",
    0x23 to "Invalid program",
).withDefault { "Unknown error code 0x${Integer.toHexString(it)}" }

class EValue private constructor(private val tensor: Tensor) {
    fun toTensor(): Tensor = tensor

    companion object {
        @JvmStatic
        fun from(tensor: Tensor) = EValue(tensor)
    }
}

class Tensor private constructor(internal val data: ByteBuffer, private val shape: LongArray, internal val type: Int) {
    fun shape(): LongArray = shape.copyOf()

    val dataAsFloatArray: FloatArray get() = typed(FLOAT).asFloatBuffer().let { values -> FloatArray(values.remaining()).also { values.get(it) } }
    val dataAsLongArray: LongArray get() = typed(INT64).asLongBuffer().let { values -> LongArray(values.remaining()).also { values.get(it) } }
    val dataAsUnsignedByteArray: ByteArray get() = typed(UINT8).let { values -> ByteArray(values.remaining()).also { values.get(it) } }

    private fun typed(wanted: Int): ByteBuffer {
        check(type == wanted) { "Tensor of type $type cannot return data as an array of type $wanted." }
        return data.duplicate().order(ByteOrder.nativeOrder()).apply { rewind() }
    }

    companion object {
        // ExecuTorch's ScalarType
        private const val UINT8 = 0
        private const val INT64 = 4
        private const val FLOAT = 6

        @JvmStatic
        fun fromBlob(data: FloatArray, shape: LongArray) =
            Tensor(allocated(shape, data.size, Float.SIZE_BYTES).apply { asFloatBuffer().put(data) }, shape.copyOf(), FLOAT)

        @JvmStatic
        fun fromBlob(data: LongArray, shape: LongArray) =
            Tensor(allocated(shape, data.size, Long.SIZE_BYTES).apply { asLongBuffer().put(data) }, shape.copyOf(), INT64)

        private fun allocated(shape: LongArray, size: Int, bytes: Int): ByteBuffer {
            require(shape.reduce(Long::times) == size.toLong()) { "Inconsistent data capacity:$size and shape number elements" }
            return ByteBuffer.allocateDirect(size * bytes).order(ByteOrder.nativeOrder())
        }

        /** Called by the native code. */
        @JvmStatic
        private fun nativeNewTensor(data: ByteBuffer, shape: LongArray, type: Int) = Tensor(data, shape, type)
    }
}
