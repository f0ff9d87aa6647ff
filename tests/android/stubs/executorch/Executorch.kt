// A hand-written stub for the compiler, see ../README.md: signatures of ExecuTorch's Android classes, as far as the app calls them.
@file:Suppress("UNUSED_PARAMETER")

package org.pytorch.executorch

import java.io.Closeable

private fun stub(): Nothing = throw UnsupportedOperationException("a stub for the compiler: it cannot run")

open class Module private constructor() : Closeable {
    open fun execute(methodName: String, vararg inputs: EValue): Array<EValue> = stub()

    open fun loadMethod(methodName: String): Unit = stub()

    open fun getMethods(): Array<String> = stub()

    override fun close(): Unit = stub()

    companion object {
        const val LOAD_MODE_MMAP = 1

        @JvmStatic
        @JvmOverloads
        fun load(modelPath: String?, loadMode: Int = 0, numThreads: Int = 0): Module = stub()
    }
}

class EValue private constructor() {
    fun toTensor(): Tensor = stub()

    companion object {
        @JvmStatic
        fun from(tensor: Tensor): EValue = stub()
    }
}

abstract class Tensor internal constructor() {
    open val dataAsFloatArray: FloatArray get() = stub()
    open val dataAsLongArray: LongArray get() = stub()
    open val dataAsUnsignedByteArray: ByteArray get() = stub()

    companion object {
        @JvmStatic
        fun fromBlob(data: FloatArray, shape: LongArray): Tensor = stub()

        @JvmStatic
        fun fromBlob(data: LongArray, shape: LongArray): Tensor = stub()
    }
}
