package org.edge_asr.core.program

import org.edge_asr.core.Vectors
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What a file may say about itself, and what is refused. */
class MetadataTest {
    private val plain = """{"format": "edge-asr", "contract_version": $CONTRACT_VERSION, "sample_rate_hz": 16000,
        "chunk_samples": 10240, "chunk_frames": 16, "frame_samples": 640, "blank_id": 0, "pieces": ["<blank>", "▁HE", "L"],
        "default_threshold": 0.7, "precision": "int8", "lower_layers": 4, "upper_layers": 8,
        "training": {"step": "1200"}, "exporter": {"torch": "2.13.0"}}"""

    private fun refusal(read: () -> Metadata): String = assertThrows(ProgramException::class.java) { read() }.message!!

    private fun withVersion(version: Int) = plain.replace("\"contract_version\": $CONTRACT_VERSION", "\"contract_version\": $version")

    @Test
    fun `every field is read`() {
        val expected = Metadata(
            CONTRACT_VERSION, 16_000, 10_240, 16, 640, 0, listOf("<blank>", "▁HE", "L"), 0.7f, "int8", 4, 8,
            mapOf("step" to "1200"), mapOf("torch" to "2.13.0"),
        )
        assertEquals(expected, Metadata.fromJson(plain))
        assertEquals(expected, Metadata.fromJson(plain.toByteArray()))
        assertEquals(32, expected.blockFrames)
        assertEquals(0.04, expected.frameS, 0.0)
        assertEquals(640.0, expected.chunkMs, 0.0)
    }

    @Test
    fun `a refusal says what is wrong and what to do`() {
        assertEquals("not a model made by edge-asr (its metadata is missing or foreign)", refusal { Metadata.fromJson("") })
        assertEquals(
            "its metadata does not follow contract $CONTRACT_VERSION (blank_id): export it again",
            refusal { Metadata.fromJson(plain.replace("blank_id", "blank")) },
        )
        assertEquals(
            "made for contract 2, this app reads contract $CONTRACT_VERSION: export the checkpoint again",
            refusal { Metadata.fromJson(withVersion(2)) },
        )
        assertTrue(refusal { Metadata.fromJson(withVersion(99)) }.endsWith("update this app, or export the checkpoint again"))
    }

    @Test
    fun `text is read as every other reader reads it`() {
        val vectors = Vectors.read("metadata.jsonl")
        assertTrue(vectors.size > 300)
        val wrong = vectors.mapNotNull { vector ->
            val expected = facts(vector)
            val found = if (vector.has("utf8")) {
                listOf(read { Metadata.fromJson(hexadecimal(vector.getString("utf8"))) })
            } else {
                val text = vector.getString("text")
                listOf(read { Metadata.fromJson(text) }, read { Metadata.fromJson(text.toByteArray()) })
            }
            if (found.all { it == expected }) null else "${vector["name"]}: expected $expected, found $found"
        }
        assertEquals(emptyList<String>(), wrong)
    }

    /** What a vector asks for: the metadata, or the reason of the refusal. */
    private fun facts(vector: JSONObject): Any {
        val values = vector.optJSONObject("accepted") ?: return vector.getString("refused")
        return Metadata(
            CONTRACT_VERSION,
            values.getInt("sample_rate_hz"),
            values.getInt("chunk_samples"),
            values.getInt("chunk_frames"),
            values.getInt("frame_samples"),
            values.getInt("blank_id"),
            strings(values.getJSONArray("pieces")),
            values.getDouble("default_threshold").toFloat() + 0f, // -0 becomes 0
            values.getString("precision"),
            values.getInt("lower_layers"),
            values.getInt("upper_layers"),
            strings(values.getJSONObject("training")),
            strings(values.getJSONObject("exporter")),
        )
    }

    private fun read(call: () -> Metadata): Any =
        try {
            call().let { it.copy(defaultThreshold = it.defaultThreshold + 0f) }
        } catch (error: ProgramException) {
            reason(error.message!!)
        }

    private fun reason(message: String): String {
        if (message == "not a model made by edge-asr (its metadata is missing or foreign)") return "foreign"
        if (Regex("made for contract \\d+, this app reads contract \\d+: .*export the checkpoint again").matches(message)) return "contract"
        val breach = Regex("its metadata does not follow contract \\d+ \\((\\w+)\\): export it again").matchEntire(message)
        return breach?.groupValues?.get(1) ?: message
    }

    private fun strings(array: JSONArray) = List(array.length()) { array.getString(it) }

    private fun strings(values: JSONObject) = values.keys().asSequence().associateWith { values.getString(it) }

    private fun hexadecimal(text: String) = ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
}
