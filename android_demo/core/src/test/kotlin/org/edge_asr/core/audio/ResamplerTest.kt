package org.edge_asr.core.audio

import java.util.Random
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.sin
import kotlin.math.sqrt
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Sines go in, sines or silence come out. */
class ResamplerTest {
    private val rates = listOf(8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 44_099)

    private fun sine(hz: Double, rateHz: Int, samples: Int) =
        FloatArray(samples) { (AMPLITUDE * sin(2 * PI * hz * it / rateHz)).toFloat() }

    private fun resampled(pcm: FloatArray, fromHz: Int, toHz: Int = 16_000): FloatArray {
        val resampler = Resampler(fromHz, toHz)
        return resampler.process(pcm) + resampler.finish()
    }

    /** The middle of what comes out: at both ends silence meets sound. */
    private fun middle(pcm: FloatArray) = pcm.copyOfRange(pcm.size / 4, pcm.size * 3 / 4)

    /** Root mean square, in dB relative to that of the sine that went in. */
    private fun levelDb(pcm: FloatArray): Double {
        val power = pcm.sumOf { it.toDouble() * it } / pcm.size
        return 20 * log10(sqrt(power) / (AMPLITUDE / sqrt(2.0)) + 1e-12)
    }

    @Test
    fun `a sine below the slope comes out as itself, in place and in height`() {
        for (rate in rates) {
            val nyquistHz = minOf(rate, 16_000) / 2.0
            for (part in listOf(0.01, 0.1, 0.33, 0.5, 0.7, 0.85)) {
                val hz = part * nyquistHz
                val out = resampled(sine(hz, rate, rate / 2), rate)
                val expected = sine(hz, 16_000, out.size)
                val error = middle(FloatArray(out.size) { out[it] - expected[it] })
                assertTrue("$rate Hz, sine of $hz Hz: ${levelDb(error)} dB", levelDb(error) < -75)
            }
        }
    }

    @Test
    fun `nothing of what lies beyond 8 kHz comes through`() {
        for (rate in rates.filter { it > 16_000 }) {
            for (hz in listOf(8_000.0, 8_100.0, 8_600.0, 9_500.0, 10_900.0, rate / 2.0 - 50).filter { it < rate / 2 }) {
                val out = middle(resampled(sine(hz, rate, rate / 2), rate))
                assertTrue("$rate Hz, sine of $hz Hz: ${levelDb(out)} dB", levelDb(out) < -60)
            }
        }
    }

    @Test
    fun `a recording of fewer samples gains no image`() {
        for (hz in listOf(100.0, 1_700.0, 3_300.0)) {
            val out = resampled(sine(hz, 8_000, 8_000), 8_000)
            val imageHz = 8_000 - hz
            var real = 0.0
            var imaginary = 0.0
            for (at in out.indices) {
                real += out[at] * sin(2 * PI * imageHz * at / 16_000)
                imaginary += out[at] * sin(2 * PI * imageHz * at / 16_000 + PI / 2)
            }
            val height = 2 * sqrt(real * real + imaginary * imaginary) / out.size
            assertTrue("image of $hz Hz: $height", height < AMPLITUDE / 1_000)
        }
    }

    @Test
    fun `what does not change stays where it was`() {
        for (rate in rates) {
            for (sample in middle(resampled(FloatArray(rate) { 0.25f }, rate))) assertEquals("$rate Hz", 0.25f, sample, 1e-5f)
            assertTrue(resampled(FloatArray(rate), rate).all { it == 0f })
        }
    }

    @Test
    fun `as many seconds come out as went in`() {
        for (rate in rates + listOf(1_000, 767_999)) {
            for (samples in listOf(0, 1, 2, 3, 100, 1_001, rate / 10)) {
                val expected = (samples * 16_000L + rate - 1) / rate
                assertEquals("$samples at $rate Hz", expected, resampled(FloatArray(samples), rate).size.toLong())
            }
        }
    }

    @Test
    fun `how the samples are cut changes nothing`() {
        val random = Random(9)
        for (rate in rates) {
            val pcm = FloatArray(9_000) { random.nextFloat() * 2 - 1 }
            val resampler = Resampler(rate, 16_000)
            val pieces = mutableListOf<Float>()
            var from = 0
            while (from < pcm.size) {
                val count = minOf(random.nextInt(if (random.nextBoolean()) 3 else 1_500), pcm.size - from)
                val block = FloatArray(2_000) { Float.NaN }
                pcm.copyInto(block, 0, from, from + count)
                pieces += resampler.process(block, count).toList()
                from += count
            }
            pieces += resampler.finish().toList()
            assertArrayEquals("$rate Hz", resampled(pcm, rate), pieces.toFloatArray(), 0f)
        }
    }

    @Test
    fun `the same rate changes nothing`() {
        val pcm = sine(440.0, 16_000, 4_000)
        val out = resampled(pcm, 16_000)
        assertEquals(pcm.size, out.size)
        // its slope ends at the Nyquist frequency here, too: what lies below is the same to the last audible bit
        for (at in 200 until pcm.size - 200) assertTrue(abs(out[at] - pcm[at]) < AMPLITUDE / 2_000)
    }

    @Test
    fun `after minutes the sines still meet`() {
        val rate = 44_100
        val resampler = Resampler(rate, 16_000)
        val hz = 441.0 // a hundred samples: every block begins where it began before
        val block = sine(hz, rate, rate)
        var given = 0L
        var last = FloatArray(0)
        repeat(LONG_S) {
            last = resampler.process(block)
            given += last.size
        }
        val start = given - last.size
        val expected = FloatArray(last.size) { (AMPLITUDE * sin(2 * PI * (hz * (start + it) / 16_000 % 1.0))).toFloat() }
        val error = FloatArray(last.size) { last[it] - expected[it] }
        assertTrue("${levelDb(error)} dB", levelDb(error) < -60)
        assertEquals(LONG_S * 16_000L, given + resampler.finish().size)
    }

    @Test
    fun `rates that are none are refused`() {
        for ((from, to) in listOf(0 to 16_000, -1 to 16_000, 16_000 to 0)) {
            assertThrows(IllegalArgumentException::class.java) { Resampler(from, to) }
        }
        for (count in listOf(-1, 4)) assertThrows(IllegalArgumentException::class.java) { Resampler(8_000, 16_000).process(FloatArray(3), count) }
    }

    private companion object {
        const val AMPLITUDE = 0.5
        const val LONG_S = 100
    }
}
