package org.edge_asr.core.benchmark

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The extras of an intent, as adb sends them. */
class BenchmarkPlanTest {
    private fun refusal(vararg extras: Pair<String, Any?>): String =
        assertThrows(BenchmarkException::class.java) { BenchmarkPlan.of(mapOf(*extras)) }.message!!

    @Test
    fun `without extras it is the app's own model, ten times`() {
        val plan = BenchmarkPlan.of(emptyMap())
        assertEquals(BenchmarkPlan(null, null, 1, 10, 0.0), plan)
        assertEquals("benchmark/manual", plan.folder)
    }

    @Test
    fun `what the profiler sends is understood`() {
        val sent = mapOf("run" to "0f3a9b2c", "thresholds" to "0.7,1", "threads" to 2, "passes" to 3, "cool_down_s" to 1.5f)
        val plan = BenchmarkPlan.of(sent)
        assertEquals(BenchmarkPlan("0f3a9b2c", listOf(0.7, 1.0), 2, 3, 1.5), plan)
        assertEquals("benchmark/0f3a9b2c", plan.folder)
        assertEquals(
            "adb shell am start -S -W -n a/.B --es run 0f3a9b2c --es thresholds 0.7,1 --ei threads 2 --ei passes 3 --ef cool_down_s 1.5",
            plan.command("a/.B"),
        )
        assertEquals(0.1, BenchmarkPlan.of(mapOf("cool_down_s" to 0.1f)).coolDownS, 0.0)
        assertEquals(listOf(0.7), BenchmarkPlan.of(mapOf("thresholds" to "0.7, 0.70")).thresholds)
    }

    @Test
    fun `what makes no benchmark is refused in a line that says what would`() {
        val lines = listOf(
            refusal("run" to "../x"), refusal("run" to ""), refusal("run" to 3), refusal("run" to "a b"),
            refusal("thresholds" to ""), refusal("thresholds" to "0.7,"), refusal("thresholds" to "1.01"),
            refusal("thresholds" to "NaN"), refusal("thresholds" to 0.7f), refusal("thresholds" to "0.7000001,0.7"),
            refusal("threads" to 0), refusal("threads" to 1_000), refusal("threads" to "two"), refusal("threads" to 2L),
            refusal("passes" to 0), refusal("passes" to -1), refusal("passes" to 5f),
            refusal("cool_down_s" to -0.5f), refusal("cool_down_s" to Float.NaN), refusal("cool_down_s" to "long"),
            refusal("cool_down_s" to Float.POSITIVE_INFINITY), refusal("treads" to 2),
        )
        for (line in lines) {
            assertTrue(line, line.contains("(--e") || line.contains("there are") || line.contains("leave one out"))
            assertEquals(line, line.replace("\n", " "))
        }
    }

    @Test
    fun `a wrong run is answered in the folder of those that have none`() {
        assertEquals("benchmark/manual", BenchmarkPlan.folderOf(mapOf("run" to "../../shared_prefs")))
        assertEquals("benchmark/manual", BenchmarkPlan.folderOf(mapOf("run" to 3)))
        assertEquals("benchmark/ab12", BenchmarkPlan.folderOf(mapOf("run" to "ab12", "threads" to -1)))
    }

    @Test
    fun `settings are named as the profiler names them`() {
        assertEquals(
            listOf("gate off", "gate 0.7", "gate 0", "gate 1e-05", "gate 0.123457", "gate 0.0001"),
            listOf(1.0, 0.7, 0.0, 0.00001, 0.1234567, 0.0001).map(::gateName),
        )
    }
}
