package org.edge_asr.core.program

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What a file may say about itself, and what is refused. */
class MetadataTest {
    private fun values(): JSONObject = JSONObject(
        """{"format": "edge-asr", "contract_version": 4, "sample_rate_hz": 16000, "chunk_samples": 10240, "chunk_frames": 16,
            "frame_samples": 640, "blank_id": 0, "pieces": ["<blank>", "▁HE", "L"], "default_threshold": 0.7,
            "precision": "int8", "lower_layers": 4, "upper_layers": 8,
            "training": {"step": "1200"}, "exporter": {"torch": "2.13.0"}}""",
    )

    private fun refusal(text: String): String = assertThrows(ProgramException::class.java) { Metadata.fromJson(text) }.message!!

    private fun refusal(change: JSONObject.() -> Unit): String = refusal(values().apply(change).toString())

    private val breach = "its metadata does not follow contract 4: export it again"

    @Test
    fun `every field is read`() {
        val read = Metadata.fromJson(values().toString())
        val expected = Metadata(
            4, 16_000, 10_240, 16, 640, 0, listOf("<blank>", "▁HE", "L"), 0.7f, "int8", 4, 8,
            mapOf("step" to "1200"), mapOf("torch" to "2.13.0"),
        )
        assertEquals(expected, read)
        assertEquals(32, read.blockFrames)
        assertEquals(0.04, read.frameS, 0.0)
        assertEquals(640.0, read.chunkMs, 0.0)
    }

    @Test
    fun `text that is no JSON, or JSON of another maker, is foreign`() {
        val foreign = "not a model made by edge-asr (its metadata is missing or foreign)"
        for (text in listOf("", "   ", "nonsense", "{", "[]", "null", "3", "{}", "[".repeat(100_000))) {
            assertEquals(foreign, refusal(text))
        }
        assertEquals(foreign, refusal { remove("format") })
        assertEquals(foreign, refusal { put("format", "whisper") })
        assertEquals(foreign, refusal { remove("contract_version") })
        assertEquals(foreign, refusal { put("contract_version", "4") })
    }

    @Test
    fun `another contract is named with the way out`() {
        assertEquals("made for contract 3, this app reads contract 4: export the checkpoint again", refusal { put("contract_version", 3) })
        assertTrue(refusal { put("contract_version", 5) }.endsWith("update this app, or export the checkpoint again"))
        assertTrue(refusal { put("contract_version", 4.5) }.startsWith("made for contract 4, this app"))
    }

    @Test
    fun `a missing field breaks the contract, whichever it is`() {
        val keys = values().keys().asSequence().toList() - "format" - "contract_version"
        assertEquals(12, keys.size)
        for (key in keys) assertEquals(key, breach, refusal { remove(key) })
    }

    @Test
    fun `a field of another kind breaks the contract, whichever it is`() {
        for (key in values().keys().asSequence().toList() - "format" - "contract_version") {
            assertEquals(key, breach, refusal { put(key, true) })
            assertEquals(key, breach, refusal { put(key, JSONObject.NULL) })
        }
        assertEquals(breach, refusal { put("pieces", JSONArray(listOf("a", 1, "b"))) })
    }

    @Test
    fun `numbers outside what can be are refused`() {
        for (key in listOf("sample_rate_hz", "chunk_samples", "chunk_frames", "frame_samples")) {
            for (value in listOf<Any>(0, -1, 1.5, 1 shl 25, 1e300, 5_000_000_000L)) assertEquals(key, breach, refusal { put(key, value) })
        }
        assertEquals(breach, refusal { put("default_threshold", 1.01) })
        assertEquals(breach, refusal { put("default_threshold", -0.01) })
        assertEquals(breach, refusal { put("blank_id", 3) })
        assertEquals(breach, refusal { put("blank_id", -1) })
        assertEquals("a chunk of more frames than it has rows", breach, refusal { put("chunk_samples", 10_241) })
    }
}
