package org.edge_asr.core.program

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** The contract that this app follows: `CONTRACT_VERSION` in edge_asr/contract.py. */
const val CONTRACT_VERSION = 4

/** Chunks whose kept frames an upper block may hold. */
const val BLOCK_CHUNKS = 2

/** What the file says about itself; see `Metadata` in edge_asr/contract.py. */
data class Metadata(
    val contractVersion: Int,
    val sampleRateHz: Int,
    /** Samples of a step. */
    val chunkSamples: Int,
    /** Frames of a step. */
    val chunkFrames: Int,
    /** Samples of a frame. */
    val frameSamples: Int,
    val blankId: Int,
    /** Text of each output; `▁` opens a word. */
    val pieces: List<String>,
    val defaultThreshold: Float,
    /** int8, int4 or fp32. */
    val precision: String,
    val lowerLayers: Int,
    val upperLayers: Int,
    val training: Map<String, String>,
    val exporter: Map<String, String>,
) {
    /** Rows of an upper block. */
    val blockFrames: Int get() = BLOCK_CHUNKS * chunkFrames
    val frameS: Double get() = frameSamples.toDouble() / sampleRateHz
    val chunkMs: Double get() = 1_000.0 * chunkSamples / sampleRateHz

    companion object {
        /** Throws [ProgramException] where the text is not ours, of another contract, or lacks what the contract asks for. */
        fun fromJson(text: String): Metadata {
            val values = parsed(text)
            val version = (values?.opt("contract_version") as? Number)?.takeIf { values.opt("format") == FORMAT }
            if (values == null || version == null) {
                throw ProgramException("not a model made by edge-asr (its metadata is missing or foreign)")
            }
            if (version.toDouble() != CONTRACT_VERSION.toDouble()) throw ProgramException(otherContract(version.toLong()))
            return Fields(values).metadata()
        }
    }
}

private const val FORMAT = "edge-asr"

/** Of any count: beyond it a product of two might not fit. */
private const val LARGEST_COUNT = 1 shl 24

private fun parsed(text: String): JSONObject? =
    try {
        JSONObject(text)
    } catch (_: JSONException) {
        null
    } catch (_: StackOverflowError) { // the parser recurses, and the file may nest as deep as it likes
        null
    }

private fun otherContract(version: Long): String {
    val wayOut = if (version > CONTRACT_VERSION) "update this app, or export" else "export"
    return "made for contract $version, this app reads contract $CONTRACT_VERSION: $wayOut the checkpoint again"
}

/** The fields of the metadata, each of the kind that the contract says. */
private class Fields(private val values: JSONObject) {
    private val breach = ProgramException("its metadata does not follow contract $CONTRACT_VERSION: export it again")

    fun metadata(): Metadata {
        val made = Metadata(
            contractVersion = CONTRACT_VERSION,
            sampleRateHz = count("sample_rate_hz", 1),
            chunkSamples = count("chunk_samples", 1),
            chunkFrames = count("chunk_frames", 1),
            frameSamples = count("frame_samples", 1),
            blankId = count("blank_id", 0),
            pieces = pieces(),
            defaultThreshold = threshold(),
            precision = text("precision"),
            lowerLayers = count("lower_layers", 0),
            upperLayers = count("upper_layers", 0),
            training = texts("training"),
            exporter = texts("exporter"),
        )
        val framesOfChunk = (made.chunkSamples + made.frameSamples - 1) / made.frameSamples
        if (made.blankId >= made.pieces.size || framesOfChunk > made.chunkFrames) throw breach
        return made
    }

    private fun count(key: String, lowest: Int): Int {
        val value = (values.opt(key) as? Number)?.toDouble() ?: throw breach
        if (value % 1.0 != 0.0 || value < lowest || value > LARGEST_COUNT) throw breach
        return value.toInt()
    }

    private fun threshold(): Float {
        val value = (values.opt("default_threshold") as? Number)?.toDouble() ?: throw breach
        if (!(value in 0.0..1.0)) throw breach
        return value.toFloat()
    }

    private fun text(key: String): String = values.opt(key) as? String ?: throw breach

    private fun pieces(): List<String> {
        val found = values.opt("pieces") as? JSONArray ?: throw breach
        return (0 until found.length()).map { found.opt(it) as? String ?: throw breach }
    }

    /** Identities and versions are for people: a number among them is shown as it is. */
    private fun texts(key: String): Map<String, String> {
        val found = values.opt(key) as? JSONObject ?: throw breach
        return found.keys().asSequence().associateWith { found.opt(it).toString() }
    }
}
