package org.edge_asr.core.benchmark

import java.io.File
import kotlin.concurrent.thread
import org.edge_asr.core.audio.WavBytes
import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.NotCoveredException
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.ScriptedProgram
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A whole benchmark, with a program that hears what its audio says and a phone whose time the test makes. */
class BenchmarkTest {
    @get:Rule
    val files = TemporaryFolder()

    private val phone = FakePhone()
    private val runtime = FakeRuntime { ScriptedProgram() }
    private val battery = FakeMeter("android:battery", phone) { 1.0 }
    private val told = ArrayList<String>()
    private val folder get() = File(files.root, "benchmark/r1")
    private val extras = mutableMapOf<String, Any?>("run" to "r1", "thresholds" to "0.5,1", "passes" to 4)

    @Before
    fun `two recordings and a model`() {
        put("models/m.pte", "model".toByteArray())
        put("audio/00000.wav", wav("ab...c..ab"))
        put("audio/00001.wav", wav("c......."))
    }

    private fun put(name: String, content: ByteArray) =
        File(folder, name).apply { parentFile!!.mkdirs() }.writeBytes(content)

    private fun wav(script: String): ByteArray {
        val samples = ScriptedProgram.audio(script).map { (32_768 * it).toInt() }.toIntArray()
        return WavBytes.wav(WavBytes.format(WavBytes.PCM, 16), WavBytes.int16(*samples))
    }

    private fun benchmark(vararg meters: EnergyMeter = arrayOf(battery), watch: (String) -> Unit = { told.add(it) }) = Benchmark(
        extras = extras,
        files = files.root,
        phone = phone,
        runtime = runtime,
        meters = meters.toList(),
        own = object : OwnFiles {
            override fun model() = throw ProgramException("there is no model in this app")
            override fun recording() = throw BenchmarkException("there is no recording in this app")
        },
        activity = "org.edge_asr.demo/.BenchmarkActivity",
        pace = Pace(coldStarts = 2, passS = 0.0, meteredPassS = 0.0, idleS = 5.0),
        watch = watch,
    )

    private fun report(vararg meters: EnergyMeter = arrayOf(battery)): Report {
        val ending = benchmark(*meters).run()
        return (ending as? Ending.Reported)?.report ?: throw AssertionError((ending as Ending.Failed).message)
    }

    private fun failure(): String {
        val message = (benchmark().run() as Ending.Failed).message
        assertEquals("$message\n", File(folder, "error.txt").readText())
        assertFalse(File(folder, "report.json").exists())
        return message
    }

    @Test
    fun `every setting is measured, and what it heard is written down`() {
        val report = report()
        assertEquals(listOf("gate 0.5", "gate off"), report.results.map { it.setting.name })
        assertEquals(listOf(0.5, 1.0), report.results.map { it.setting.threshold })
        val heard = File(folder, "heard.jsonl").readLines().map(::JSONObject)
        assertEquals(
            listOf("gate 0.5 00000.wav AB C AB", "gate 0.5 00001.wav C", "gate off 00000.wav AB C AB", "gate off 00001.wav C"),
            heard.map { "${it.getString("setting")} ${it.getString("audio")} ${it.getString("text")}" },
        )
        assertEquals("android", report.results[0].setting.runtime)
        assertEquals("executorch 0", report.results[0].setting.runtimeVersion)
        assertNull(File(folder, "error.txt").takeIf { it.exists() })
        assertEquals("{", File(folder, "report.json").readText().take(1))
        assertFalse(folder.list()!!.any { it.endsWith("unfinished") })
    }

    @Test
    fun `the gate's frames are counted once, and gate off keeps all`() {
        val (gated, open) = report().results
        assertEquals(18L, gated.frames)
        assertEquals(6L, gated.keptFrames)
        assertEquals(18L, open.keptFrames)
        assertEquals(18 * 0.0005, open.audioS, 1e-9)
        assertTrue(open.upperRuns > gated.upperRuns)
    }

    @Test
    fun `passes are interleaved, and every other round is the other way round`() {
        val (gated, open) = report().results
        assertEquals(listOf(0, 3, 4, 7), gated.passes.map { it.order })
        assertEquals(listOf(1, 2, 5, 6), open.passes.map { it.order })
        assertEquals(
            listOf("pass 1 of 4, gate 0.5", "pass 1 of 4, gate off", "pass 2 of 4, gate off", "pass 2 of 4, gate 0.5"),
            told.filter { it.startsWith("pass") }.take(4),
        )
        assertEquals(told, File(folder, "progress.txt").readLines())
    }

    @Test
    fun `cold starts, first steps and warm steps are apart`() {
        val report = report()
        val latency = report.results[0].latency!!
        assertEquals(2, latency.coldLoadMs!!.count)
        assertEquals(2, latency.firstStepMs!!.count)
        assertEquals(50.0, latency.startToFirstResultMs!!.p50Ms, 0.0)
        assertEquals(listOf("m.pte 0.5", "m.pte 1.0", "m.pte 1.0", "m.pte 0.5"), runtime.coldStarts)
        val steps = report.results[0].steps.toInt()
        val warm = latency.warmStepMs!!.count
        assertEquals(4 * report.protocol.traversals * steps, warm)
        assertEquals(warm, latency.warmStepUpperMs!!.count + latency.warmStepSkippedMs!!.count)
        assertEquals(20, latency.firstPartialMs!!.count) // ten times two recordings
        assertEquals(20, latency.endOfSpeechMs!!.count)
        assertEquals(3_000_000L, report.results[0].memory.pssBytes)
        assertEquals(0L, report.results[0].memory.growthBytes)
        assertEquals(0.8, report.ratios.single { it.quantity == "peak_rss" }.ratio, 1e-9)
    }

    @Test
    fun `energy is what lies above idle`() {
        // 1 W at rest; 3 W in passes with the gate, 5 W in those without
        val changes = arrayListOf(0.0 to 1.0)
        val meter = FakeMeter("android:battery", phone) { timeS -> changes.last { it.first <= timeS }.second }
        extras["cool_down_s"] = 2f
        val ending = benchmark(meter) { line ->
            val watts = if (!line.startsWith("pass")) 1.0 else if (line.endsWith("gate 0.5")) 3.0 else 5.0
            changes.add(phone.timeS to watts)
        }.run()
        val report = (ending as Ending.Reported).report
        val (gated, open) = report.results.map { it.energy }
        assertEquals("measured", gated.kind)
        assertEquals("android:battery (the whole phone)", gated.source)
        assertEquals(1.0, gated.idleW!!, 1e-3) // the phone steps from rest to work between two samples
        val joules = gated.joules!!
        assertEquals(1e3 * joules / 4 / report.results[0].audioS, gated.mjPerAudioS!!, 1e-6)
        assertEquals(report.results[0].passes.sumOf { it.joules!! }, joules, 1e-9)
        // the passes of both take the same time here
        assertEquals(2.0, open.joules!! / joules, 0.02)
        assertEquals(0.5, report.ratios.single { it.quantity == "energy" }.ratio, 0.01)
        assertEquals(2.0, report.protocol.coolDownS, 0.0)
        assertTrue(report.notes.any { it == "energy by android:battery: raw" })
    }

    @Test
    fun `the meter is read over the passes, and idle before and after them`() {
        report()
        val idles = told.indexOf("idle before, for the energy") to told.indexOf("idle after, for the energy")
        assertTrue(idles.first < told.indexOf("pass 1 of 4, gate 0.5"))
        assertEquals("writing the report", told[idles.second + 1])
        assertTrue(battery.stoppedS!! - battery.startedS!! >= 10)
    }

    @Test
    fun `while the phone charges energy is not measured, and the rest is`() {
        battery.problem = "it charges"
        phone.pluggedIn = true
        val report = report()
        assertEquals("not measured", report.results[0].energy.kind)
        assertEquals("it charges", report.results[0].energy.reason)
        assertNull(report.results[0].passes[0].joules)
        assertEquals(true, report.conditions.charging)
        assertNotNull(report.results[0].latency)
        assertNull(battery.startedS)
        assertFalse(told.any { it.startsWith("idle") })
        assertFalse(report.ratios.any { it.quantity == "energy" })
    }

    @Test
    fun `rails are preferred, and the battery takes over where they do not cover the passes`() {
        val rails = FakeMeter("android:rails", phone) { 2.0 }
        assertTrue(report(rails, battery).results.all { it.energy.source!!.startsWith("android:rails") })
        val stale = object : EnergyMeter by rails {
            override fun window(span: org.edge_asr.core.measure.Span) = throw NotCoveredException("0 samples are too few")
        }
        val report = report(stale, battery)
        assertTrue(report.results.all { it.energy.source!!.startsWith("android:battery") })
        assertTrue(report.notes.any { it.startsWith("energy by android:rails: not taken (idle: android:rails: 0 samples are too few") })
    }

    @Test
    fun `without any meter the reason is told`() {
        val reason = report(*emptyArray()).results[0].energy.reason
        assertEquals("there is nothing that measures it", reason)
    }

    @Test
    fun `few passes, and heat, are no figures to quote`() {
        phone.thermal = true
        val verdict = report().verdict
        assertFalse(verdict.quotable)
        assertTrue(verdict.reasons.contains("4 pass(es) are too few for an interval (at least 6)"))
        assertTrue(verdict.reasons.contains("the device was throttled"))
        assertNotNull(verdict.spread)
    }

    @Test
    fun `on an emulator nothing is said of time`() {
        phone.emulated = true
        val report = report()
        assertTrue(report.results.all { it.latency == null && it.passes.isEmpty() && it.memory.peakRssBytes == null })
        assertEquals(emptyList<Ratio>(), report.ratios)
        assertTrue(report.verdict.reasons.contains("emulated: time means nothing"))
    }

    @Test
    fun `several models are told apart by their files' names`() {
        put("models/n.pte", "other".toByteArray())
        extras.remove("thresholds")
        val report = report()
        assertEquals(listOf("m gate 0.5", "m gate off", "n gate 0.5", "n gate off"), report.results.map { it.setting.name })
        assertEquals(3, report.ratios.count { it.quantity == "compute" && it.of == "m gate 0.5" })
        assertEquals(2, runtime.programs.size)
        assertTrue(runtime.programs.all { (it as ScriptedProgram).closed })
        assertEquals(2, report.results.map { it.setting.modelSha256 }.distinct().size)
    }

    @Test
    fun `what cannot be done is one line in error txt`() {
        extras["threads"] = 0
        assertTrue(failure().startsWith("threads is '0'"))
        extras["threads"] = 1
        put("audio/00000.wav", byteArrayOf(1, 2, 3))
        assertTrue(failure().startsWith("00000.wav: not a WAV file"))
        File(folder, "audio").deleteRecursively()
        assertEquals("benchmark/r1/audio: there is no .wav file: copy one there", failure())
        File(folder, "models").deleteRecursively()
        assertEquals("benchmark/r1/models: there is no .pte file: copy one there", failure())
    }

    @Test
    fun `recordings without a sample are refused`() {
        File(folder, "audio").deleteRecursively()
        put("audio/00000.wav", WavBytes.wav(WavBytes.format(WavBytes.PCM, 16), ByteArray(0)))
        assertTrue(failure().startsWith("00000.wav: no samples"))
    }

    @Test
    fun `an app without a model says so`() {
        extras.clear()
        val ending = benchmark().run() as Ending.Failed
        assertEquals("there is no model in this app", ending.message)
        assertEquals("there is no model in this app\n", File(files.root, "benchmark/manual/error.txt").readText())
    }

    @Test
    fun `a program that fails midway is the answer`() {
        var opened = 0
        val failing = ScriptedProgram()
        val broken = FakeRuntime { if (opened++ == 0) failing else ScriptedProgram() }
        val benchmark = Benchmark(
            extras, files.root, phone, broken, listOf(battery),
            object : OwnFiles {
                override fun model() = File("")
                override fun recording() = File("")
            },
            "a", Pace(coldStarts = 1, passS = 0.0, meteredPassS = 0.0, idleS = 0.1),
        ) { if (it.startsWith("pass 2")) failing.failing = true }
        assertEquals("the runtime gave up", (benchmark.run() as Ending.Failed).message)
        assertEquals("the runtime gave up\n", File(folder, "error.txt").readText())
        assertNotNull(battery.stoppedS)
        assertTrue(failing.closed)
    }

    @Test
    fun `a stopped benchmark answers at once, ends soon, and writes no report`() {
        lateinit var running: Benchmark
        running = benchmark { if (it.startsWith("pass 3")) thread { running.stop("the screen was left") }.join() }
        val ending = running.run()
        assertEquals("the screen was left", (ending as Ending.Failed).message)
        assertEquals("the screen was left\n", File(folder, "error.txt").readText())
        assertFalse(File(folder, "report.json").exists())
    }

    @Test
    fun `stopping what is done changes nothing, and what is stopped before it begins never does`() {
        val done = benchmark()
        done.run()
        done.stop("too late")
        assertFalse(File(folder, "error.txt").exists())
        val early = benchmark()
        early.stop("left")
        assertEquals("left", (early.run() as Ending.Failed).message)
        assertEquals("left\n", File(folder, "error.txt").readText())
    }

    @Test
    fun `a long pause tells that it goes on`() {
        extras["cool_down_s"] = 200f
        extras["passes"] = 1
        report()
        val cooling = told.filter { it.startsWith("cooling down before pass 1, gate 0.5") }
        assertEquals(4, cooling.size)
        assertTrue(cooling.last().contains("since 18"))
    }

    @Test
    fun `what an earlier run left is removed first`() {
        put("error.txt", "earlier".toByteArray())
        put("progress.txt", "earlier\n".toByteArray())
        report()
        assertFalse(File(folder, "error.txt").exists())
        assertFalse(File(folder, "progress.txt").readText().contains("earlier"))
    }

    @Test
    fun `there is one answer, the first`() {
        val report = report()
        val answer = BenchmarkFolder(files.newFolder("answers"))
        assertTrue(answer.fail("the screen\nwas left"))
        assertFalse(answer.finish(Outcome(report, emptyList())))
        assertFalse(answer.fail("another"))
        assertEquals(listOf("error.txt"), answer.folder.list()!!.toList())
        assertEquals("the screen was left\n", File(answer.folder, "error.txt").readText())
    }
}
