package org.edge_asr.core.benchmark

import java.io.File
import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.Span
import org.edge_asr.core.measure.Window
import org.edge_asr.core.measure.integratePower
import org.edge_asr.core.program.Program

/** A phone whose time passes when it is asked for the time. */
class FakePhone : Phone {
    var timeS = 1_000.0
    var thermal: Boolean? = false
    var pluggedIn: Boolean? = false
    override var emulated = false

    override fun nowS(): Double {
        timeS += 0.001
        return timeS
    }

    override fun utcNow() = "2026-01-02T03:04:05+00:00"
    override fun sleep(seconds: Double) {
        timeS += seconds
    }

    override val machine = "aarch64"
    override val cpu = "Tensor"
    override val cores = 8
    override val system = "Android 15"
    override val versions = mapOf("app" to "1.0")
    override fun snapshot() = Snapshot("schedutil", listOf(1_800.0), mapOf("battery" to 31.5), thermal, null)
    override fun plugged() = pluggedIn
    override fun cpuS() = timeS / 2
    override fun residentBytes() = 1_000_000L
}

/** Runs [program] for every model; [coldStarts] notes the settings that were started cold. */
class FakeRuntime(private val program: () -> Program) : Runtime {
    val coldStarts = ArrayList<String>()
    val programs = ArrayList<Program>()
    override val version = "executorch 0"

    override fun open(model: File, threads: Int): Program = program().also { programs.add(it) }

    override fun coldStart(model: File, threads: Int, threshold: Float, recordings: List<Recording>): ColdStart {
        coldStarts.add("${model.name} $threshold")
        val process = object : FreshProcess {
            override fun sinceStartMs() = 50.0
            override fun pssBytes() = 3_000_000L
            override fun peakResidentBytes() = if (threshold < 1) 4_000_000L else 5_000_000L
        }
        return coldStartHere(process, { program() }, threshold, recordings)
    }
}

/** Tells [watts] of any time between its start and its stop. */
class FakeMeter(override val name: String, private val phone: FakePhone, private val watts: (Double) -> Double) : EnergyMeter {
    override val covers = "the whole phone"
    override var problem: String? = null
    var startedS: Double? = null
    var stoppedS: Double? = null

    override fun start() {
        startedS = phone.timeS
    }

    override fun stop() {
        stoppedS = phone.timeS
    }

    override fun window(span: Span): Window {
        val fromS = maxOf(startedS!!, span.beginS - EVERY_S)
        val untilS = minOf(stoppedS!!, span.endS) + EVERY_S
        val times = DoubleArray(((untilS - fromS) / EVERY_S).toInt() + 1) { fromS + EVERY_S * it }
        return integratePower(times, DoubleArray(times.size) { watts(times[it]) }, span, maxGapS = 1.0)
    }

    override fun readings() = "raw"

    private companion object {
        const val EVERY_S = 0.001
    }
}
