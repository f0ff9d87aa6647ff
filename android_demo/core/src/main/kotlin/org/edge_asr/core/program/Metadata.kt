package org.edge_asr.core.program

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
        /**
         * Throws [ProgramException] where the text is not ours, is of another contract, or breaks this one: see the table in
         * edge_asr/contract.py.
         */
        fun fromJson(text: String): Metadata = from(attempt { StrictJson.parse(text, DEEPEST) })

        /** The same of UTF-8, as a file has it. */
        fun fromJson(utf8: ByteArray): Metadata = from(attempt { StrictJson.parse(utf8, DEEPEST) })
    }
}

private const val FORMAT = "edge-asr"

/** Objects and arrays in one another. */
private const val DEEPEST = 8
private const val LARGEST_VERSION = (1 shl 24) - 1
private const val MOST_FRAMES = 4_096
private const val MOST_FRAME_SAMPLES = 4_096
private const val MOST_LAYERS = 1_024
private val SAMPLE_RATES_HZ = 8_000..48_000
private val PIECES = 2..65_536
private val PRECISIONS = setOf("int8", "int4", "fp32")

private inline fun attempt(parse: () -> Any?): Fields? =
    try {
        (parse() as? Map<*, *>)?.let(::Fields)
    } catch (_: JsonException) {
        null
    }

private fun from(fields: Fields?): Metadata {
    val version = fields?.takeIf { it.isOurs() }?.integer("contract_version", 0..LARGEST_VERSION)
    if (fields == null || version == null) {
        throw ProgramException("not a model made by edge-asr (its metadata is missing or foreign)")
    }
    if (version != CONTRACT_VERSION) throw ProgramException(otherContract(version))
    return fields.metadata()
}

private fun otherContract(version: Int): String {
    val wayOut = if (version > CONTRACT_VERSION) "update this app, or export" else "export"
    return "made for contract $version, this app reads contract $CONTRACT_VERSION: $wayOut the checkpoint again"
}

/** The keys of the metadata, each checked as the table says and in its order. */
private class Fields(private val values: Map<*, *>) {
    fun isOurs(): Boolean = values["format"] == FORMAT

    fun integer(key: String, allowed: IntRange): Int? =
        (values[key] as? JsonInteger)?.value?.takeIf { it in allowed.first.toLong()..allowed.last }?.toInt()

    fun metadata(): Metadata {
        val rateHz = count("sample_rate_hz", SAMPLE_RATES_HZ)
        val chunkFrames = count("chunk_frames", 1..MOST_FRAMES)
        val frameSamples = count("frame_samples", 1..MOST_FRAME_SAMPLES)
        val samples = chunkFrames * frameSamples
        val chunkSamples = count("chunk_samples", samples..samples)
        val pieces = pieces()
        return Metadata(
            contractVersion = CONTRACT_VERSION,
            sampleRateHz = rateHz,
            chunkSamples = chunkSamples,
            chunkFrames = chunkFrames,
            frameSamples = frameSamples,
            blankId = count("blank_id", pieces.indices),
            pieces = pieces,
            defaultThreshold = threshold(),
            precision = (values["precision"] as? String)?.takeIf { it in PRECISIONS } ?: throw breach("precision"),
            lowerLayers = count("lower_layers", 0..MOST_LAYERS),
            upperLayers = count("upper_layers", 1..MOST_LAYERS),
            training = texts("training"),
            exporter = texts("exporter"),
        )
    }

    private fun count(key: String, allowed: IntRange): Int = integer(key, allowed) ?: throw breach(key)

    private fun threshold(): Float {
        val value = when (val found = values["default_threshold"]) {
            is JsonInteger -> found.value?.toDouble()
            is Double -> found
            else -> null
        }
        if (value == null || value !in 0.0..1.0) throw breach("default_threshold")
        return value.toFloat()
    }

    private fun pieces(): List<String> {
        val found = (values["pieces"] as? List<*>)?.filterIsInstance<String>() ?: throw breach("pieces")
        val whole = found.size == (values["pieces"] as List<*>).size && found.size in PIECES
        if (!whole || found.any { '\u0000' in it }) throw breach("pieces")
        return found
    }

    private fun texts(key: String): Map<String, String> {
        val found = values[key] as? Map<*, *> ?: throw breach(key)
        return found.entries.associate { (name, text) -> name as String to (text as? String ?: throw breach(key)) }
    }

    private fun breach(key: String) =
        ProgramException("its metadata does not follow contract $CONTRACT_VERSION ($key): export it again")
}
