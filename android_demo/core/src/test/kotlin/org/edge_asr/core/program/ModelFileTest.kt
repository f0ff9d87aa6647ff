package org.edge_asr.core.program

import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.InputStream
import java.util.Random
import java.util.zip.CRC32
import org.edge_asr.core.Vectors
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A file is taken only where it is whole and as it was written. */
class ModelFileTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val random = Random(6)

    private fun program(size: Int): ByteArray {
        val bytes = ByteArray(size).also(random::nextBytes)
        "ET12".toByteArray().copyInto(bytes, 4, 0, minOf(4, maxOf(0, size - 4)))
        return bytes
    }

    private fun sealed(program: ByteArray): ByteArray {
        val sum = CRC32().apply { update(program) }.value
        return program + "EASRSUM1".toByteArray() + ByteArray(4) { (sum shr 8 * it).toByte() }
    }

    /** Gives [bytes] in pieces of random sizes, as a pipe may. */
    private fun pieces(bytes: ByteArray): InputStream = object : InputStream() {
        private val inner = ByteArrayInputStream(bytes)
        override fun read(): Int = inner.read()
        override fun read(into: ByteArray, from: Int, count: Int): Int = inner.read(into, from, minOf(count, 1 + random.nextInt(20)))
    }

    private fun refusal(bytes: ByteArray): String =
        assertThrows(ProgramException::class.java) { ModelFile.check(ByteArrayInputStream(bytes)) }.message!!

    private val unsealed = "cut short, or not made by edge-asr (no checksum at the end of the model file): copy or export it again"

    @Test
    fun `a whole file is taken, whatever its size and however it is read`() {
        for (size in (20..60) + listOf(65_523, 65_524, 65_525, 65_536, 131_072, 200_000)) {
            val whole = sealed(program(size))
            ModelFile.check(ByteArrayInputStream(whole))
            ModelFile.check(pieces(whole))
        }
    }

    @Test
    fun `the sum of a known text is the one that zlib gives`() {
        val program = "0000ET12 edge-asr model".toByteArray()
        val sum = byteArrayOf(0x4b, 0x3a, 0x91.toByte(), 0xdf.toByte())
        ModelFile.check(ByteArrayInputStream(program + "EASRSUM1".toByteArray() + sum))
    }

    @Test
    fun `files are taken and refused as every other reader does`() {
        val vectors = Vectors.read("program_file.jsonl")
        assertTrue(vectors.size > 30)
        val reasons = mapOf(
            "the model file is empty (0 bytes)" to setOf("empty"),
            "not an ExecuTorch program" to setOf("kind"),
            "the model file is cut short" to setOf("short"),
            "cut short, or not made by edge-asr" to setOf("short", "unsealed", "contract"), // it does not look for metadata
            "damaged (checksum" to setOf("damaged"),
        )
        val wrong = vectors.mapNotNull { vector ->
            val bytes = vector.getString("bytes").chunked(2).map { it.toInt(16).toByte() }.toByteArray()
            val said = try {
                ModelFile.check(pieces(bytes))
                null
            } catch (error: ProgramException) {
                error.message!!
            }
            val found = if (said == null) setOf("null") else reasons.entries.singleOrNull { said.startsWith(it.key) }?.value.orEmpty()
            if (vector.get("refused").toString() in found) null else "${vector["name"]}: $said"
        }
        assertEquals(emptyList<String>(), wrong)
    }

    @Test
    fun `one flipped bit is found, wherever it is`() {
        val whole = sealed(program(300))
        for (at in whole.indices) {
            for (bit in 0 until 8) {
                val damaged = whole.copyOf()
                damaged[at] = (damaged[at].toInt() xor (1 shl bit)).toByte()
                refusal(damaged)
            }
        }
        whole[100] = (whole[100].toInt() xor 1).toByte()
        assertTrue(refusal(whole), Regex("damaged \\(checksum [0-9a-f]{8}, written as [0-9a-f]{8}\\).*").matches(refusal(whole)))
    }

    @Test
    fun `a file without a trailer, cut anywhere, or with bytes after it is refused`() {
        val program = program(300)
        val whole = sealed(program)
        assertEquals(unsealed, refusal(program))
        for (size in 32 until whole.size) assertEquals(unsealed, refusal(whole.copyOf(size)))
        for (size in 1 until 32) assertEquals("the model file is cut short ($size bytes): copy or export it again", refusal(whole.copyOf(size)))
        assertEquals(unsealed, refusal(whole + 0))
        assertEquals(unsealed, refusal(whole + ByteArray(12)))
        assertTrue(refusal(sealed(program) + sealed(program)).startsWith("damaged"))
        assertTrue("sealed twice is another sum", runCatching { ModelFile.check(ByteArrayInputStream(sealed(whole))) }.isSuccess)
    }

    @Test
    fun `an empty file and one of another kind are named as that`() {
        assertEquals("the model file is empty (0 bytes): copy or export it again", refusal(ByteArray(0)))
        assertEquals("not an ExecuTorch program: expected a .pte made by edge-asr", refusal("RIFF0000WAVEfmt ".toByteArray()))
    }

    @Test
    fun `a copy is checked on the way and is the same bytes`() {
        val whole = sealed(program(200_000))
        val copied = ByteArrayOutputStream()
        ModelFile.copy(pieces(whole), copied)
        assertArrayEquals(whole, copied.toByteArray())
        assertThrows(ProgramException::class.java) { ModelFile.copy(ByteArrayInputStream(whole.copyOf(99_999)), copied) }
    }

    @Test
    fun `a file is named in the refusal`() {
        val file = folder.newFile("model.pte")
        file.writeBytes(sealed(program(100)))
        ModelFile.check(file)
        file.appendBytes(byteArrayOf(1))
        assertEquals("model.pte: $unsealed", assertThrows(ProgramException::class.java) { ModelFile.check(file) }.message)
        val absent = File(folder.root, "absent.pte")
        assertTrue(assertThrows(ProgramException::class.java) { ModelFile.check(absent) }.message!!.startsWith("absent.pte: cannot be read"))
    }

    @Test
    fun `the file is never in memory as a whole`() {
        val size = 4L shl 30 // more than the JVM of this test has
        var left = size
        val long = object : InputStream() {
            override fun read(): Int = throw AssertionError("byte by byte")
            override fun read(into: ByteArray, from: Int, count: Int): Int {
                if (left == 0L) return -1
                assertTrue("asked for $count bytes at once", count <= 1 shl 20)
                val given = minOf(left, count.toLong()).toInt()
                into.fill(0, from, from + given)
                if (left == size) "ET".toByteArray().copyInto(into, from + 4)
                left -= given
                return given
            }
        }
        assertEquals(unsealed, assertThrows(ProgramException::class.java) { ModelFile.check(long) }.message)
        assertEquals(0L, left)
    }
}
