package org.edge_asr.core.audio

import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.InputStream
import java.util.Random

/** WAV files written byte by byte, so that what is read can be compared with what was meant. */
object WavBytes {
    const val PCM = 1
    const val FLOAT = 3
    const val EXTENSIBLE = 0xFFFE

    fun number(value: Long, bytes: Int) = ByteArray(bytes) { (value shr 8 * it).toByte() }

    fun chunk(name: String, content: ByteArray, stated: Long = content.size.toLong()) =
        name.toByteArray() + number(stated, 4) + content + ByteArray(content.size % 2)

    fun riff(vararg chunks: ByteArray): ByteArray {
        val content = chunks.fold("WAVE".toByteArray()) { all, chunk -> all + chunk }
        return "RIFF".toByteArray() + number(content.size.toLong(), 4) + content
    }

    fun format(tag: Int, bits: Int, channels: Int = 1, rateHz: Int = 16_000): ByteArray {
        val frameBytes = channels * bits / 8
        return number(tag.toLong(), 2) + number(channels.toLong(), 2) + number(rateHz.toLong(), 4) +
            number(rateHz.toLong() * frameBytes, 4) + number(frameBytes.toLong(), 2) + number(bits.toLong(), 2)
    }

    /** The tail of the subformat is that of KSDATAFORMAT_SUBTYPE_PCM and its siblings. */
    fun extensible(tag: Int, bits: Int, channels: Int = 1, rateHz: Int = 16_000): ByteArray {
        val tail = longArrayOf(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71)
        return format(EXTENSIBLE, bits, channels, rateHz) + number(22, 2) + number(bits.toLong(), 2) + number(3, 4) +
            number(tag.toLong(), 2) + ByteArray(tail.size) { tail[it].toByte() }
    }

    fun int16(vararg samples: Int): ByteArray = joined(samples.map { number(it.toLong(), 2) })

    fun int24(vararg samples: Int): ByteArray = joined(samples.map { number(it.toLong(), 3) })

    fun int32(vararg samples: Int): ByteArray = joined(samples.map { number(it.toLong(), 4) })

    fun float32(vararg samples: Float): ByteArray = joined(samples.map { number(it.toRawBits().toLong(), 4) })

    fun float64(vararg samples: Double): ByteArray = joined(samples.map { number(it.toRawBits(), 8) })

    fun wav(format: ByteArray, data: ByteArray) = riff(chunk("fmt ", format), chunk("data", data))

    /** Gives [bytes] in pieces of random sizes, as a document of another app may. */
    fun pieces(bytes: ByteArray, random: Random): InputStream = object : InputStream() {
        private val inner = ByteArrayInputStream(bytes)
        override fun read(): Int = inner.read()
        override fun read(into: ByteArray, from: Int, count: Int): Int =
            if (count == 0) 0 else inner.read(into, from, minOf(count, 1 + random.nextInt(9)))
    }

    private fun joined(parts: List<ByteArray>): ByteArray =
        ByteArrayOutputStream().also { out -> parts.forEach(out::write) }.toByteArray()
}
