package org.edge_asr.core.audio

import java.io.EOFException
import java.io.IOException
import java.io.InputStream

/** A file that cannot be heard; the message is one line for the user, what is wrong and what to do. */
class AudioException(message: String, cause: Throwable? = null) : Exception(message, cause)

/**
 * A WAV file read forwards in blocks, in memory that does not grow with it: PCM of 8, 16, 24 and 32 bits, float of 32 and
 * 64, plain or WAVE_FORMAT_EXTENSIBLE. The constructor reads as far as the samples, and throws [AudioException].
 */
class WavFile(private val input: InputStream) {
    val sampleRateHz: Int
    val channels: Int

    /** Seconds of audio, as the header states them; null where it does not. */
    val statedS: Double?

    /** Set once the file has ended before the last sample that its header promises. */
    var cutShort = false
        private set

    private val coding: Coding
    private var leftBytes: Long // of the samples; [UNSTATED] where the file goes on to its end
    private var block = ByteArray(0)

    init {
        val header = readHeader(ChunkReader(input))
        sampleRateHz = header.format.sampleRateHz
        channels = header.format.channels
        coding = header.format.coding
        leftBytes = header.dataBytes
        val frameBytes = channels * coding.bytes
        statedS = if (leftBytes == UNSTATED) null else (leftBytes / frameBytes).toDouble() / sampleRateHz
    }

    /**
     * Fills [into] from its start with samples, the channels averaged. Returns how many; fewer than fit only at the end, 0
     * after it. Throws [AudioException] where the file cannot be read.
     */
    fun read(into: FloatArray): Int {
        val frameBytes = channels * coding.bytes
        val wanted = minOf(into.size.toLong() * frameBytes, leftBytes - leftBytes % frameBytes).toInt()
        if (block.size < wanted) block = ByteArray(wanted)
        val got = readFully(input, block, wanted)
        if (got < wanted) {
            cutShort = leftBytes != UNSTATED
            leftBytes = 0
        } else if (leftBytes != UNSTATED) {
            leftBytes -= got
        }
        val frames = got / frameBytes
        for (frame in 0 until frames) into[frame] = mono(frame * frameBytes)
        return frames
    }

    private fun mono(from: Int): Float {
        if (channels == 1) return coding.sample(block, from)
        var sum = 0f
        for (channel in 0 until channels) sum += coding.sample(block, from + channel * coding.bytes)
        return sum / channels
    }
}

private const val AGAIN = "convert it to 16-bit WAV"

/** A size that a program wrote which did not know how much would follow. */
private const val UNSTATED_SIZE = 0xFFFF_FFFFL
private const val UNSTATED = Long.MAX_VALUE

private const val PCM = 1
private const val FLOAT = 3
private const val EXTENSIBLE = 0xFFFE
private const val FORMAT_BYTES = 16
private const val EXTENSIBLE_BYTES = 40
private const val SUBFORMAT_AT = 24
private const val MOST_CHANNELS = 32
private val RATES_HZ = 1_000..768_000

/** How a sample is written; all little-endian. */
private enum class Coding(val bytes: Int) {
    UNSIGNED_8(1) {
        override fun sample(from: ByteArray, at: Int) = (unsigned(from, at) - 128) / 128f
    },
    SIGNED_16(2) {
        override fun sample(from: ByteArray, at: Int) = (from[at + 1].toInt() shl 8 or unsigned(from, at)) / 32_768f
    },
    SIGNED_24(3) {
        override fun sample(from: ByteArray, at: Int) =
            (from[at + 2].toInt() shl 16 or (unsigned(from, at + 1) shl 8) or unsigned(from, at)) / 8_388_608f
    },
    SIGNED_32(4) {
        override fun sample(from: ByteArray, at: Int) = littleEndian(from, at, 4).toInt() / 2_147_483_648f
    },
    FLOAT_32(4) {
        override fun sample(from: ByteArray, at: Int) = Float.fromBits(littleEndian(from, at, 4).toInt())
    },
    FLOAT_64(8) {
        override fun sample(from: ByteArray, at: Int) = Double.fromBits(littleEndian(from, at, 8)).toFloat()
    },
    ;

    abstract fun sample(from: ByteArray, at: Int): Float
}

private class Format(val sampleRateHz: Int, val channels: Int, val coding: Coding)

private class Header(val format: Format, val dataBytes: Long)

private fun readHeader(chunks: ChunkReader): Header {
    chunks.requireWave()
    var format: Format? = null
    while (true) {
        val chunk = chunks.next() ?: throw AudioException("no samples in this WAV file (it has no data chunk): record it again")
        when (chunk.name) {
            "fmt " -> format = formatOf(chunks.take(EXTENSIBLE_BYTES))
            "data" -> {
                val known = format ?: throw AudioException("damaged WAV file (samples before their format): $AGAIN")
                return Header(known, if (chunk.bytes == UNSTATED_SIZE) UNSTATED else chunk.bytes)
            }
        }
    }
}

private fun formatOf(bytes: ByteArray): Format {
    if (bytes.size < FORMAT_BYTES) throw AudioException("damaged WAV file (its format is cut short): $AGAIN")
    val outer = littleEndian(bytes, 0, 2).toInt()
    val tag = if (outer == EXTENSIBLE && bytes.size == EXTENSIBLE_BYTES) littleEndian(bytes, SUBFORMAT_AT, 2).toInt() else outer
    val channels = littleEndian(bytes, 2, 2).toInt()
    val rateHz = littleEndian(bytes, 4, 4)
    val frameBytes = littleEndian(bytes, 12, 2).toInt()
    val bits = littleEndian(bytes, 14, 2).toInt()
    val coding = codingOf(tag, bits)
    if (channels !in 1..MOST_CHANNELS) throw AudioException("a WAV file of $channels channels cannot be read: $AGAIN")
    if (rateHz !in RATES_HZ) throw AudioException("a WAV file of $rateHz samples a second cannot be read: $AGAIN")
    if (frameBytes != channels * coding.bytes) {
        throw AudioException("damaged WAV file ($frameBytes bytes for $channels samples of $bits bits): $AGAIN")
    }
    return Format(rateHz.toInt(), channels, coding)
}

private fun codingOf(tag: Int, bits: Int): Coding =
    when (tag to bits) {
        PCM to 8 -> Coding.UNSIGNED_8
        PCM to 16 -> Coding.SIGNED_16
        PCM to 24 -> Coding.SIGNED_24
        PCM to 32 -> Coding.SIGNED_32
        FLOAT to 32 -> Coding.FLOAT_32
        FLOAT to 64 -> Coding.FLOAT_64
        else -> throw AudioException("this kind of WAV file cannot be read (format $tag, $bits bits): $AGAIN")
    }

private class Chunk(val name: String, val bytes: Long)

/** The chunks of a RIFF file, in order. Their sizes are only believed as far as there are bytes. */
private class ChunkReader(private val input: InputStream) {
    private var left = 0L // of the present chunk, padding included

    fun requireWave() {
        val bytes = ByteArray(12)
        val count = readFully(input, bytes, bytes.size)
        if (count == 0) throw AudioException("the audio file is empty (0 bytes): record or copy it again")
        val names = String(bytes, 0, 4, Charsets.ISO_8859_1) to String(bytes, 8, 4, Charsets.ISO_8859_1)
        if (count < bytes.size || names != "RIFF" to "WAVE") throw AudioException("not a WAV file: $AGAIN")
    }

    /** The next chunk, or null at the end of the file. */
    fun next(): Chunk? {
        if (!skip(left)) return null
        val bytes = ByteArray(8)
        if (readFully(input, bytes, bytes.size) < bytes.size) return null
        val size = littleEndian(bytes, 4, 4)
        left = size + size % 2 // chunks begin at even offsets
        return Chunk(String(bytes, 0, 4, Charsets.ISO_8859_1), size)
    }

    /** The first bytes of the present chunk, at most [most]. */
    fun take(most: Int): ByteArray {
        val bytes = ByteArray(minOf(left, most.toLong()).toInt())
        val count = readFully(input, bytes, bytes.size)
        left -= count
        return bytes.copyOf(count)
    }

    /** False where the file ends before. */
    private fun skip(count: Long): Boolean {
        val block = ByteArray(minOf(count, SKIP_BYTES).toInt())
        var done = 0L
        while (done < count) {
            val got = readFully(input, block, minOf(count - done, SKIP_BYTES).toInt())
            if (got == 0) return false
            done += got
        }
        return true
    }

    private companion object {
        const val SKIP_BYTES = 1L shl 13
    }
}

/** Fewer than [count] only at the end of the file. */
private fun readFully(input: InputStream, into: ByteArray, count: Int): Int {
    var done = 0
    try {
        while (done < count) {
            val got = input.read(into, done, count - done)
            if (got < 0) break
            done += got
        }
    } catch (_: EOFException) { // some streams say so
        return done
    } catch (error: IOException) {
        throw AudioException("the audio file cannot be read (${error.message}): copy it again", error)
    }
    return done
}

private fun unsigned(from: ByteArray, at: Int): Int = from[at].toInt() and 0xFF

private fun littleEndian(from: ByteArray, at: Int, count: Int): Long {
    var value = 0L
    for (offset in count - 1 downTo 0) value = value shl 8 or unsigned(from, at + offset).toLong()
    return value
}
