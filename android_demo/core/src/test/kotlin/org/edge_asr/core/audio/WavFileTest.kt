package org.edge_asr.core.audio

import java.io.ByteArrayInputStream
import java.io.IOException
import java.io.InputStream
import java.util.Random
import org.edge_asr.core.audio.WavBytes.EXTENSIBLE
import org.edge_asr.core.audio.WavBytes.FLOAT
import org.edge_asr.core.audio.WavBytes.PCM
import org.edge_asr.core.audio.WavBytes.chunk
import org.edge_asr.core.audio.WavBytes.extensible
import org.edge_asr.core.audio.WavBytes.float32
import org.edge_asr.core.audio.WavBytes.float64
import org.edge_asr.core.audio.WavBytes.format
import org.edge_asr.core.audio.WavBytes.int16
import org.edge_asr.core.audio.WavBytes.int24
import org.edge_asr.core.audio.WavBytes.int32
import org.edge_asr.core.audio.WavBytes.number
import org.edge_asr.core.audio.WavBytes.pieces
import org.edge_asr.core.audio.WavBytes.riff
import org.edge_asr.core.audio.WavBytes.wav
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** WAV files of every kind that is read, of those that are not, and damaged ones. */
class WavFileTest {
    private fun open(bytes: ByteArray) = WavFile(ByteArrayInputStream(bytes))

    private fun samples(file: WavFile, blockSamples: Int = 3): List<Float> {
        val block = FloatArray(blockSamples)
        val all = mutableListOf<Float>()
        while (true) {
            val count = file.read(block)
            if (count == 0) return all
            all += block.take(count)
        }
    }

    private fun samples(bytes: ByteArray) = samples(open(bytes))

    private fun refusal(bytes: ByteArray): String =
        assertThrows(AudioException::class.java) { samples(bytes) }.message!!

    private val known = listOf(0f, 0.5f, -0.5f, -1f)
    private val known16 = int16(0, 16_384, -16_384, -32_768)

    @Test
    fun `samples of every width are the same numbers`() {
        assertEquals(known, samples(wav(format(PCM, 8), byteArrayOf(128.toByte(), 192.toByte(), 64, 0))))
        assertEquals(known, samples(wav(format(PCM, 16), known16)))
        assertEquals(known, samples(wav(format(PCM, 24), int24(0, 1 shl 22, -(1 shl 22), -(1 shl 23)))))
        assertEquals(known, samples(wav(format(PCM, 32), int32(0, 1 shl 30, -(1 shl 30), Int.MIN_VALUE))))
        assertEquals(known, samples(wav(format(FLOAT, 32), float32(0f, 0.5f, -0.5f, -1f))))
        assertEquals(known, samples(wav(format(FLOAT, 64), float64(0.0, 0.5, -0.5, -1.0))))
    }

    @Test
    fun `the lowest byte counts, and none is taken for a sign`() {
        assertEquals(listOf(255 / 32_768f, -1 / 32_768f, 32_767 / 32_768f), samples(wav(format(PCM, 16), int16(255, -1, 32_767))))
        assertEquals(listOf(0xFFFF / 8_388_608f, -1 / 8_388_608f), samples(wav(format(PCM, 24), int24(0xFFFF, -1))))
    }

    @Test
    fun `the extensible format is read for what is inside`() {
        val bytes = wav(extensible(PCM, 16, channels = 1, rateHz = 48_000), known16)
        assertEquals(known, samples(bytes))
        assertEquals(48_000, open(bytes).sampleRateHz)
        assertEquals(known, samples(wav(extensible(FLOAT, 32), float32(0f, 0.5f, -0.5f, -1f))))
        assertTrue(refusal(wav(extensible(6, 8), ByteArray(4))).startsWith("this kind of WAV file cannot be read (format 6, 8 bits)"))
        assertTrue(refusal(wav(format(EXTENSIBLE, 16), known16)).startsWith("this kind of WAV file cannot be read (format 65534"))
    }

    @Test
    fun `channels are averaged`() {
        val bytes = wav(format(PCM, 16, channels = 2), int16(16_384, 0, -16_384, 16_384, 32_767, 32_767, 8_192, -16_384))
        assertEquals(listOf(0.25f, 0f, 32_767 / 32_768f, -0.125f), samples(bytes))
        assertEquals(2, open(bytes).channels)
        assertEquals(listOf(0.25f), samples(wav(format(FLOAT, 32, channels = 4), float32(1f, 0f, 0.5f, -0.5f))))
    }

    @Test
    fun `other chunks are passed over, odd ones with their padding`() {
        val list = chunk("LIST", "INFOISFT odd".toByteArray().copyOf(11))
        val format = chunk("fmt ", format(PCM, 16) + number(0, 2)) // as some write it: with an empty extension
        val bytes = riff(chunk("JUNK", ByteArray(30_001)), format, list, chunk("fact", ByteArray(4)), chunk("data", known16), list)
        assertEquals(known, samples(bytes))
        assertEquals(known, samples(riff(chunk("bext", ByteArray(0)), format, chunk("data", known16))))
    }

    @Test
    fun `blocks of any size and a stream in pieces give the same samples`() {
        val random = Random(3)
        val data = int16(*IntArray(500) { random.nextInt(65_536) - 32_768 })
        for (channels in 1..3) {
            val bytes = wav(format(PCM, 16, channels), data)
            val whole = samples(open(bytes), 10_000)
            assertEquals(500 / channels, whole.size)
            for (block in listOf(1, 2, 7, 499, 500)) assertEquals(whole, samples(WavFile(pieces(bytes, random)), block))
        }
    }

    @Test
    fun `the length is what the header states`() {
        assertEquals(4 / 16_000.0, open(wav(format(PCM, 16), known16)).statedS!!, 1e-12)
        assertEquals(2 / 48_000.0, open(wav(format(PCM, 16, 2, 48_000), known16)).statedS!!, 1e-12)
    }

    @Test
    fun `a file without a stated length goes on to its end`() {
        val endless = open(riff(chunk("fmt ", format(PCM, 16)), chunk("data", known16, stated = 0xFFFF_FFFF)))
        assertNull(endless.statedS)
        assertEquals(known, samples(endless))
        assertFalse(endless.cutShort)
    }

    @Test
    fun `a file that was cut short gives what there is, and says so`() {
        val whole = wav(format(PCM, 16, channels = 2), known16)
        for (cut in 0..7) {
            val file = open(whole.copyOf(whole.size - cut))
            assertEquals("without $cut bytes", (8 - cut) / 4, samples(file, 100).size)
            assertEquals("without $cut bytes", cut > 0, file.cutShort)
        }
        val uneven = open(riff(chunk("fmt ", format(PCM, 16, channels = 2)), chunk("data", known16 + 1)))
        assertEquals(listOf(0.25f, -0.75f), samples(uneven))
        assertFalse(uneven.cutShort)
    }

    @Test
    fun `what is no WAV file is named as that`() {
        assertEquals("the audio file is empty (0 bytes): record or copy it again", refusal(ByteArray(0)))
        val other = "not a WAV file: convert it to 16-bit WAV"
        for (text in listOf("R", "RIFF", "RIFF0000AVI LIST", "fLaC0000000000000000", "OggS000000000000000000", "ID3", "RIFX0000WAVEfmt ")) {
            assertEquals(text, other, refusal(text.toByteArray()))
        }
    }

    @Test
    fun `a header cut anywhere is refused`() {
        val whole = wav(format(PCM, 16), known16)
        for (size in 12 until whole.size - known16.size) {
            val cutFormat = size in 20..35
            val expected = if (cutFormat) "damaged WAV file (its format is cut short)" else "no samples in this WAV file (it has no data chunk)"
            assertEquals("$size bytes", expected, refusal(whole.copyOf(size)).substringBefore(":"))
        }
        assertTrue(refusal(riff(chunk("data", known16), chunk("fmt ", format(PCM, 16)))).startsWith("damaged WAV file (samples before"))
        assertTrue(refusal(riff(chunk("fmt ", format(PCM, 16)))).startsWith("no samples in this WAV file"))
    }

    @Test
    fun `absurd sizes are not believed`() {
        val most = 0xFFFF_FFFEL
        val hugeFormat = riff(chunk("fmt ", format(PCM, 16), stated = most), chunk("data", known16))
        assertTrue(refusal(hugeFormat).startsWith("no samples in this WAV file"))
        assertTrue(refusal(riff(chunk("junk", ByteArray(9), stated = most))).startsWith("no samples in this WAV file"))
        assertTrue(refusal(riff(chunk("fmt ", ByteArray(4)))).startsWith("damaged WAV file (its format is cut short)"))
        val hugeData = open(riff(chunk("fmt ", format(PCM, 16)), chunk("data", known16, stated = most)))
        assertEquals(known, samples(hugeData))
        assertTrue(hugeData.cutShort)
    }

    @Test
    fun `absurd formats are refused`() {
        for (channels in listOf(0, 33, 65_535)) assertTrue(refusal(wav(format(PCM, 8, channels), known16)).startsWith("a WAV file of $channels channels"))
        for (rate in listOf(0, 999, 768_001, -1)) assertTrue(refusal(wav(format(PCM, 16, 1, rate), known16)).startsWith("a WAV file of "))
        for ((tag, bits) in listOf(PCM to 0, PCM to 12, PCM to 64, FLOAT to 16, 2 to 4, 6 to 8, 7 to 8, 0 to 16, 85 to 16)) {
            assertEquals("this kind of WAV file cannot be read (format $tag, $bits bits): convert it to 16-bit WAV", refusal(wav(format(tag, bits), known16)))
        }
        val uneven = format(PCM, 16).also { it[12] = 3 }
        assertTrue(refusal(wav(uneven, known16)).startsWith("damaged WAV file (3 bytes for 1 samples of 16 bits)"))
    }

    @Test
    fun `a file that cannot be read any further says why`() {
        val whole = wav(format(PCM, 16), known16)
        for (limit in listOf(0, 5, 30, whole.size - 3)) {
            val failing = object : InputStream() {
                private var at = 0
                override fun read(): Int = if (at < limit) whole[at++].toInt() and 0xFF else throw IOException("the card is gone")
            }
            val error = assertThrows(AudioException::class.java) { samples(WavFile(failing)) }
            assertEquals("the audio file cannot be read (the card is gone): copy it again", error.message)
        }
    }

    @Test
    fun `random damage is read or refused, and never anything else`() {
        val random = Random(5)
        val whole = riff(chunk("LIST", ByteArray(9)), chunk("fmt ", extensible(PCM, 16, 2)), chunk("data", known16))
        var refused = 0
        repeat(3_000) {
            val damaged = whole.copyOf(1 + random.nextInt(whole.size))
            repeat(random.nextInt(4)) { damaged[random.nextInt(damaged.size)] = random.nextInt(256).toByte() }
            try {
                samples(damaged)
            } catch (_: AudioException) {
                refused += 1
            }
        }
        assertTrue("$refused", refused in 1_000..2_999)
    }
}
