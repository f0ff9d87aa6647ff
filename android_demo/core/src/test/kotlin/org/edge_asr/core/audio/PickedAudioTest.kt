package org.edge_asr.core.audio

import java.io.ByteArrayInputStream
import java.io.InputStream
import kotlin.math.PI
import kotlin.math.sin
import org.edge_asr.core.audio.WavBytes.FLOAT
import org.edge_asr.core.audio.WavBytes.PCM
import org.edge_asr.core.audio.WavBytes.chunk
import org.edge_asr.core.audio.WavBytes.float32
import org.edge_asr.core.audio.WavBytes.format
import org.edge_asr.core.audio.WavBytes.int16
import org.edge_asr.core.audio.WavBytes.riff
import org.edge_asr.core.audio.WavBytes.wav
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What the file picker hands over becomes 16 kHz, or a line for the user. */
class PickedAudioTest {
    private fun all(input: InputStream): FloatArray {
        val audio = PickedAudio(input)
        val blocks = generateSequence { audio.read() }.toList()
        assertTrue(blocks.all { it.isNotEmpty() && it.size <= 16_000 })
        assertNull("there is nothing after the end", audio.read())
        return blocks.fold(FloatArray(0)) { all, block -> all + block }
    }

    private fun all(bytes: ByteArray) = all(ByteArrayInputStream(bytes))

    private fun refusal(bytes: ByteArray): String = assertThrows(AudioException::class.java) { all(bytes) }.message!!

    @Test
    fun `16 kHz comes through bit for bit`() {
        val samples = IntArray(40_000) { (it * 7_919) % 65_536 - 32_768 }
        val expected = FloatArray(samples.size) { samples[it] / 32_768f }
        assertArrayEquals(expected, all(wav(format(PCM, 16), int16(*samples))), 0f)
    }

    @Test
    fun `another rate in stereo becomes 16 kHz mono`() {
        val samples = FloatArray(2 * 48_000) { (0.5 * sin(2 * PI * 1_000 * (it / 2) / 48_000)).toFloat() * if (it % 2 == 0) 1.5f else 0.5f }
        val out = all(wav(format(FLOAT, 32, channels = 2, rateHz = 48_000), float32(*samples)))
        assertEquals(16_000, out.size)
        for (at in 1_000 until 15_000) assertEquals(0.5 * sin(2 * PI * 1_000 * at / 16_000), out[at].toDouble(), 1e-3)
    }

    @Test
    fun `a file shorter than the filter is heard as well`() {
        assertEquals(2, all(wav(format(PCM, 16, rateHz = 48_000), int16(1, 2, 3, 4))).size)
    }

    @Test
    fun `a file without samples is refused`() {
        assertEquals("no samples in this WAV file: record it again", refusal(wav(format(PCM, 16), ByteArray(0))))
        assertEquals("no samples in this WAV file: record it again", refusal(wav(format(PCM, 16, rateHz = 48_000), ByteArray(1))))
    }

    @Test
    fun `a sample that is no number is refused, and the message says where`() {
        for (bad in listOf(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY)) {
            val samples = FloatArray(20_000).apply { set(12_000, bad) }
            assertEquals(
                "a sample at 1.50 s is not a finite number (NaN or infinite): export the audio again",
                refusal(wav(format(FLOAT, 32, rateHz = 8_000), float32(*samples))),
            )
        }
    }

    @Test
    fun `a cut file says so at its end`() {
        val audio = PickedAudio(ByteArrayInputStream(riff(chunk("fmt ", format(PCM, 16)), chunk("data", int16(1, 2), stated = 100))))
        assertEquals(50 / 16_000.0, audio.statedS!!, 1e-12)
        assertEquals(2, audio.read()!!.size)
        assertNull(audio.read())
        assertTrue(audio.cutShort)
    }

    @Test
    fun `ten minutes at 48 kHz are read in less memory than they take`() {
        val header = riff(chunk("fmt ", format(PCM, 16, channels = 2, rateHz = 48_000)), chunk("data", ByteArray(0), stated = DATA_BYTES))
        val long = object : InputStream() {
            private var at = 0L
            override fun read(): Int = throw AssertionError("byte by byte")
            override fun read(into: ByteArray, from: Int, count: Int): Int {
                val given = minOf(count.toLong(), header.size + DATA_BYTES - at).toInt()
                if (given == 0) return if (count == 0) 0 else -1
                for (offset in 0 until given) into[from + offset] = if (at + offset < header.size) header[(at + offset).toInt()] else 0
                at += given
                return given
            }
        }
        val audio = PickedAudio(long)
        assertEquals(SECONDS.toDouble(), audio.statedS!!, 1e-9)
        assertEquals(SECONDS * 16_000L, generateSequence { audio.read() }.sumOf { it.size.toLong() })
    }

    private companion object {
        const val SECONDS = 600
        const val DATA_BYTES = SECONDS * 48_000L * 4
    }
}
