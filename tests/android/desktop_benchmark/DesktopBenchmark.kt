package org.edge_asr.desktop_benchmark

import java.io.File
import java.lang.management.ManagementFactory
import org.edge_asr.core.benchmark.Benchmark
import org.edge_asr.core.benchmark.BenchmarkException
import org.edge_asr.core.benchmark.ColdStart
import org.edge_asr.core.benchmark.Ending
import org.edge_asr.core.benchmark.FreshProcess
import org.edge_asr.core.benchmark.OwnFiles
import org.edge_asr.core.benchmark.Pace
import org.edge_asr.core.benchmark.Phone
import org.edge_asr.core.benchmark.Recording
import org.edge_asr.core.benchmark.Runtime
import org.edge_asr.core.benchmark.Snapshot
import org.edge_asr.core.benchmark.coldStartHere
import org.edge_asr.core.measure.BatteryMeter
import org.edge_asr.core.measure.BatterySample
import org.edge_asr.core.measure.DeviceFiles
import org.edge_asr.core.program.Program
import org.edge_asr.demo.program.ExecutorchProgram
import org.json.JSONObject

/**
 * The app's benchmark on a desktop JVM: FILES EXTRAS PLUGGED. The runtime is the real one, time and memory are this machine's, and
 * the battery is made up. Cold starts are in this process, where a phone starts one for each. Prints how it ended.
 */
object DesktopBenchmark {
    private const val MADE_UP_UA = -300_000L
    private const val MADE_UP_MV = 4_000

    @JvmStatic
    fun main(arguments: Array<String>) {
        val (files, extras, plugged) = arguments
        val battery = BatteryMeter(intervalS = 0.01) {
            BatterySample(DesktopPhone.nowS(), MADE_UP_UA, MADE_UP_MV, plugged.toBoolean())
        }
        val benchmark = Benchmark(
            extras = extras(JSONObject(extras)),
            files = File(files),
            phone = DesktopPhone,
            runtime = DesktopRuntime,
            meters = listOf(battery),
            own = NothingOwn,
            activity = "org.edge_asr.demo/.BenchmarkActivity",
            pace = Pace(coldStarts = 2, passS = 0.05, meteredPassS = 0.2, idleS = 0.3),
        )
        when (val ending = benchmark.run()) {
            is Ending.Reported -> println("reported")
            is Ending.Failed -> println(ending.message)
        }
    }

    /** As an intent has them. */
    private fun extras(json: JSONObject): Map<String, Any?> =
        json.keys().asSequence().map { it as String }.associateWith { name ->
            val value = json.get(name)
            if (value is Double) value.toFloat() else value
        }
}

private object DesktopPhone : Phone {
    private val files = DeviceFiles()
    override fun nowS(): Double = 1e-9 * System.nanoTime()
    override fun utcNow() = "2026-01-02T03:04:05+00:00"
    override fun sleep(seconds: Double) = Thread.sleep((1e3 * seconds).toLong())
    override val emulated = false
    override val machine: String = System.getProperty("os.arch")
    override val cpu = "a desktop's"
    override val cores: Int = java.lang.Runtime.getRuntime().availableProcessors()
    override val system = files.kernel() ?: "unknown"
    override val versions = mapOf("app" to "desktop")
    override fun snapshot() = Snapshot(files.governor(), files.frequenciesMhz(), files.temperaturesC().ifEmpty { null }, null, files.load1min())
    override fun plugged(): Boolean? = null
    override fun cpuS(): Double =
        1e-9 * (ManagementFactory.getOperatingSystemMXBean() as com.sun.management.OperatingSystemMXBean).processCpuTime
    override fun residentBytes(): Long? = files.residentBytes()
}

private object DesktopRuntime : Runtime, FreshProcess {
    override val version = "executorch of the wheel"

    override fun open(model: File, threads: Int): Program = ExecutorchProgram.open(model, threads)

    override fun coldStart(model: File, threads: Int, threshold: Float, recordings: List<Recording>): ColdStart =
        coldStartHere(this, { open(model, threads) }, threshold, recordings)

    override fun sinceStartMs(): Double? = null
    override fun pssBytes(): Long? = null
    override fun peakResidentBytes(): Long? = DeviceFiles().peakResidentBytes()
}

private object NothingOwn : OwnFiles {
    override fun model(): File = throw BenchmarkException("there is no model here")
    override fun recording(): File = throw BenchmarkException("there is no recording here")
}
