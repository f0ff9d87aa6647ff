package org.edge_asr.core.program

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.util.zip.CRC32

/**
 * Whether a `.pte` is whole and as it was written: its trailer, as edge_asr/contract.py describes it. A runtime believes
 * the offsets in a file, and may crash on a damaged one, so this comes first. Memory does not grow with the file.
 */
object ModelFile {
    /** Throws [ProgramException], which names the file, where it cannot be read or is not whole. */
    fun check(file: File) {
        try {
            file.inputStream().use(::check)
        } catch (error: IOException) {
            throw ProgramException("${file.name}: cannot be read (${error.message}): $AGAIN", error)
        } catch (error: ProgramException) {
            throw ProgramException("${file.name}: ${error.message}", error)
        }
    }

    /** Reads to the end. Throws [ProgramException] where the file is not whole, and what [input] throws. */
    fun check(input: InputStream) = pass(input) { _, _ -> }

    /** The same while copying it to [output]. Where it throws, what was copied is of no use. */
    fun copy(input: InputStream, output: OutputStream) = pass(input) { block, count -> output.write(block, 0, count) }

    private inline fun pass(input: InputStream, take: (ByteArray, Int) -> Unit) {
        val seal = Seal()
        val block = ByteArray(BLOCK_BYTES)
        while (true) {
            val count = input.read(block)
            if (count < 0) break
            seal.add(block, count)
            take(block, count)
        }
        seal.check()
    }
}

private const val AGAIN = "copy or export it again"
private const val BLOCK_BYTES = 1 shl 16
private const val TRAILER_BYTES = 12
private val TRAILER_MAGIC = "EASRSUM1".toByteArray(Charsets.US_ASCII)
private val FILE_MAGIC = "ET".toByteArray(Charsets.US_ASCII)
private const val FILE_MAGIC_AT = 4 // after the root offset of the flatbuffer
private val HEADER_MAGIC = "eh00".toByteArray(Charsets.US_ASCII)
private const val HEADER_MAGIC_AT = 8 // then its length, the size of the program, the offset of the segments, their size
private const val HEADER_LENGTH_AT = 12
private const val PROGRAM_SIZE_AT = 16
private const val SEGMENTS_AT = 24
private const val SEGMENTS_SIZE_AT = 32
private const val HEAD_BYTES = 40
private const val STATES_SEGMENTS = HEAD_BYTES - HEADER_MAGIC_AT // length of a header that has room for their size

/** The sum of a file that passes by, and the trailer that ends it. */
private class Seal {
    private val sum = CRC32()
    private val last = ByteArray(TRAILER_BYTES) // the bytes that may be the trailer, not yet summed
    private var held = 0
    private val head = ByteArray(HEAD_BYTES)
    private var size = 0L

    fun add(block: ByteArray, count: Int) {
        for (at in 0 until count) {
            if (size + at >= head.size) break
            head[(size + at).toInt()] = block[at]
        }
        size += count
        val spare = held + count - TRAILER_BYTES // bytes that are certainly no part of the trailer
        if (spare <= 0) {
            block.copyInto(last, held, 0, count)
            held += count
            return
        }
        val fromLast = minOf(spare, held)
        sum.update(last, 0, fromLast)
        sum.update(block, 0, spare - fromLast)
        last.copyInto(last, 0, fromLast, held)
        block.copyInto(last, held - fromLast, spare - fromLast, count)
        held = TRAILER_BYTES
    }

    fun check() {
        if (size == 0L) throw ProgramException("the model file is empty (0 bytes): $AGAIN")
        for (at in FILE_MAGIC.indices) {
            if (FILE_MAGIC_AT + at < size && head[FILE_MAGIC_AT + at] != FILE_MAGIC[at]) {
                throw ProgramException("not an ExecuTorch program: expected a .pte made by edge-asr")
            }
        }
        if (size.toULong() < promisedSize()) throw ProgramException("the model file is cut short ($size bytes): $AGAIN")
        val sealed = held == TRAILER_BYTES && TRAILER_MAGIC.indices.all { last[it] == TRAILER_MAGIC[it] }
        if (!sealed) {
            throw ProgramException("cut short, or not made by edge-asr (no checksum at the end of the model file): $AGAIN")
        }
        val stated = littleEndian(last, TRAILER_MAGIC.size, TRAILER_BYTES - TRAILER_MAGIC.size)
        if (stated != sum.value) {
            val found = sum.value.toString(16).padStart(8, '0')
            val written = stated.toString(16).padStart(8, '0')
            throw ProgramException("damaged (checksum $found, written as $written): bytes have changed on the way: $AGAIN")
        }
    }
    /** What the program's own header promises; 0 where it is too old to have one. */
    private fun promisedSize(): ULong {
        if (size < SEGMENTS_SIZE_AT) return ULong.MAX_VALUE // no program is as short
        if (HEADER_MAGIC.indices.any { head[HEADER_MAGIC_AT + it] != HEADER_MAGIC[it] }) return 0u
        val programSize = littleEndian(head, PROGRAM_SIZE_AT, Long.SIZE_BYTES).toULong()
        val segments = littleEndian(head, SEGMENTS_AT, Long.SIZE_BYTES).toULong()
        val stated = littleEndian(head, HEADER_LENGTH_AT, Int.SIZE_BYTES) >= STATES_SEGMENTS && size >= HEAD_BYTES
        val segmentsSize = if (stated) littleEndian(head, SEGMENTS_SIZE_AT, Long.SIZE_BYTES).toULong() else 0u
        if (segmentsSize > ULong.MAX_VALUE - segments) return ULong.MAX_VALUE
        return maxOf(programSize, segments + segmentsSize)
    }
}

private fun littleEndian(from: ByteArray, at: Int, count: Int): Long {
    var value = 0L
    for (offset in count - 1 downTo 0) value = value shl 8 or (from[at + offset].toLong() and 0xFF)
    return value
}
