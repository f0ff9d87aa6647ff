package org.edge_asr.core.benchmark

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import org.edge_asr.core.audio.AudioException
import org.edge_asr.core.audio.PickedAudio

/** A WAV that every setting hears. */
class Recording(val file: File) {
    val name: String get() = file.name

    /** Mono, 16 kHz. Throws [BenchmarkException], which names the file. */
    fun samples(): FloatArray {
        try {
            file.inputStream().buffered().use { input ->
                val audio = PickedAudio(input)
                val blocks = generateSequence { audio.read() }.toList()
                if (audio.cutShort) throw BenchmarkException("$name: the recording is cut short: copy it again")
                val all = FloatArray(blocks.sumOf { it.size })
                blocks.fold(0) { at, block ->
                    block.copyInto(all, at)
                    at + block.size
                }
                return all
            }
        } catch (error: IOException) {
            throw BenchmarkException("$name: cannot be read (${error.message}): copy it again", error)
        } catch (error: AudioException) {
            throw BenchmarkException("$name: ${error.message}", error)
        }
    }
}

/** The samples of [recordings], kept where they are few enough for a phone's Java. */
class RecordedSamples(val recordings: List<Recording>) {
    private val counts = HashMap<Recording, Int>()
    private val kept = HashMap<Recording, FloatArray>()
    private var keptSamples = 0

    val size: Int get() = recordings.size

    /** Reads every recording once; of their names and samples, as edge_asr/profiling/recordings.py does. */
    val sha256: String by lazy {
        val digest = MessageDigest.getInstance("SHA-256")
        for (recording in recordings) {
            digest.update(recording.name.toByteArray() + 0)
            val samples = of(recording)
            val bytes = ByteBuffer.allocate(Float.SIZE_BYTES * samples.size).order(ByteOrder.LITTLE_ENDIAN)
            bytes.asFloatBuffer().put(samples)
            digest.update(bytes.array())
        }
        hexadecimal(digest.digest())
    }

    val audioS: Double get() = recordings.sumOf { seconds(it) }

    fun seconds(recording: Recording): Double = (counts[recording] ?: of(recording).size) / HZ

    fun of(recording: Recording): FloatArray {
        kept[recording]?.let { return it }
        val samples = recording.samples()
        counts[recording] = samples.size
        if (keptSamples + samples.size <= MOST_SAMPLES) {
            kept[recording] = samples
            keptSamples += samples.size
        }
        return samples
    }

    private companion object {
        const val HZ = 16_000.0
        const val MOST_SAMPLES = 8 * 1_024 * 1_024 // 32 MB, or nine minutes
    }
}

internal fun sha256(file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    file.inputStream().use { input ->
        val block = ByteArray(1 shl 16)
        while (true) {
            val count = input.read(block)
            if (count < 0) break
            digest.update(block, 0, count)
        }
    }
    return hexadecimal(digest.digest())
}

private fun hexadecimal(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
