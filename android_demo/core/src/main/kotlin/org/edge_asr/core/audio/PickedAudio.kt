package org.edge_asr.core.audio

import java.io.InputStream
import java.util.Locale
import kotlin.math.abs
import org.edge_asr.core.stream.SAMPLE_RATE_HZ

/**
 * A WAV file that somebody picked, as mono samples at 16 kHz, block by block: an hour at 48 kHz takes no more memory than a
 * second. The constructor throws [AudioException] where [input] is no WAV file. Closing it is the caller's part.
 */
class PickedAudio(input: InputStream) {
    private val file = WavFile(input)
    private val block = FloatArray(BLOCK_SAMPLES)
    private val resampler = if (file.sampleRateHz == SAMPLE_RATE_HZ) null else Resampler(file.sampleRateHz, SAMPLE_RATE_HZ)
    private var taken = 0L
    private var ended = false

    /** Seconds of audio, as the header states them; null where it does not. */
    val statedS: Double? get() = file.statedS

    /** Set at the end where the file ended before the last sample that its header promises. */
    val cutShort: Boolean get() = file.cutShort

    /**
     * The next samples, less than a second and never none; null after the last. Throws [AudioException] where the file cannot be
     * read, has no samples, or has one that is not a finite number.
     */
    fun read(): FloatArray? {
        while (!ended) {
            val count = file.read(block)
            if (count == 0) return last()
            requireFinite(count)
            taken += count
            val samples = resampler?.process(block, count) ?: block.copyOf(count)
            if (samples.isNotEmpty()) return samples
        }
        return null
    }

    private fun last(): FloatArray? {
        ended = true
        if (taken == 0L) throw AudioException("no samples in this WAV file: record it again")
        return resampler?.finish()?.takeIf { it.isNotEmpty() }
    }

    private fun requireFinite(count: Int) {
        for (at in 0 until count) {
            if (abs(block[at]) <= Float.MAX_VALUE) continue // false for NaN, too
            val atS = String.format(Locale.ROOT, "%.2f", (taken + at).toDouble() / file.sampleRateHz)
            throw AudioException("a sample at $atS s is not a finite number (NaN or infinite): export the audio again")
        }
    }

    private companion object {
        const val BLOCK_SAMPLES = 8_192 // of each channel: half a second at 16 kHz, and little where channels are many
    }
}
