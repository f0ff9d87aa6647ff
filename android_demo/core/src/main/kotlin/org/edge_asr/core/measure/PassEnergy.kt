package org.edge_asr.core.measure

import kotlin.math.hypot
import kotlin.math.pow
import kotlin.math.sqrt

/** Of the passes of one setting, idle subtracted; as `Energy` in edge_asr/profiling/report.py. */
data class Energy(
    /** `measured` or `not measured`: an app estimates nothing. */
    val kind: String,
    val source: String? = null,
    /** Why there is no figure, or not of all passes. */
    val reason: String? = null,
    val joules: Double? = null,
    val mjPerAudioS: Double? = null,
    val uncertaintyMjPerAudioS: Double? = null,
    val idleW: Double? = null,
    val sampleHz: Double? = null,
    val samples: Int? = null,
) {
    val measured: Boolean get() = kind == MEASURED

    companion object {
        const val MEASURED = "measured"
        const val NOT_MEASURED = "not measured"
    }
}

/** [joules] of each pass, idle subtracted; null where the meter did not cover it. */
data class PassEnergy(val energy: Energy, val joules: List<Double?>)

/** Power when nothing of ours runs. */
data class Idle(
    val watts: Double,
    /** Half-width of the 95 % interval: of the measurement, and of what it drifted. */
    val uncertaintyW: Double,
)

private const val LEAST_PASSES = 2

fun notMeasured(reason: String, passes: Int) =
    PassEnergy(Energy(Energy.NOT_MEASURED, reason = reason), List(passes) { null })

/**
 * Of the passes of one setting, each over [audioS] of audio, with the rules of edge_asr/profiling/meters/energy.py. The
 * meter is stopped. Never throws: what the meter does not cover is said.
 */
fun energyOf(meter: EnergyMeter, passes: List<Span>, idle: List<Span>, audioS: Double): PassEnergy {
    meter.problem?.let { return notMeasured(it, passes.size) }
    val rest = try {
        idleOf(idle.map(meter::window))
    } catch (error: NotCoveredException) {
        return notMeasured("idle: ${meter.name}: ${error.message}", passes.size)
    }
    var reason: String? = null
    val windows = passes.map { span ->
        try {
            meter.window(span)
        } catch (error: NotCoveredException) {
            reason = reason ?: "${meter.name}: ${error.message}"
            null
        }
    }
    val covered = windows.filterNotNull()
    val joules = windows.map { window -> window?.let { it.joules - rest.watts * it.seconds } }
    if (covered.isEmpty() || (reason != null && covered.size < LEAST_PASSES)) {
        return PassEnergy(notMeasured(reason ?: "no pass was measured", 0).energy, joules)
    }
    val told = reason?.let { "of ${covered.size} of ${passes.size} passes: $it" }
    return PassEnergy(summed(meter, covered, rest, audioS, told), joules)
}

/** Of all together. Throws [NotCoveredException] where there are none. */
fun idleOf(windows: List<Window>): Idle {
    if (windows.isEmpty()) throw NotCoveredException("it was not measured what the phone takes at rest")
    val seconds = windows.sumOf { it.seconds }
    val watts = windows.map { it.joules / it.seconds }
    val measuredW = sqrt(windows.sumOf { it.uncertaintyJ.pow(2) }) / seconds
    val driftW = TWO_SIDED_95 * UNIFORM_SD * (watts.max() - watts.min())
    return Idle(windows.sumOf { it.joules } / seconds, hypot(measuredW, driftW))
}

private fun summed(meter: EnergyMeter, windows: List<Window>, idle: Idle, audioS: Double, reason: String?): Energy {
    val joules = windows.map { it.joules - idle.watts * it.seconds }
    val seconds = windows.sumOf { it.seconds }
    // the passes' own spread; what the sampling adds; and idle, whose error all passes share
    val spreadJ = halfWidth(joules)
    val samplingJ = sqrt(windows.sumOf { it.uncertaintyJ.pow(2) }) / windows.size
    val sharedJ = idle.uncertaintyW * seconds / windows.size
    return Energy(
        kind = Energy.MEASURED,
        source = "${meter.name} (${meter.covers})",
        reason = reason,
        joules = joules.sum(),
        mjPerAudioS = 1e3 * joules.average() / audioS,
        uncertaintyMjPerAudioS = 1e3 * sqrt(spreadJ.pow(2) + samplingJ.pow(2) + sharedJ.pow(2)) / audioS,
        idleW = idle.watts,
        sampleHz = windows.sumOf { it.sampleHz * it.seconds } / seconds,
        samples = windows.sumOf { it.samples },
    )
}

/** Of the 95 % interval of their mean; 0 for a single one, which tells nothing of a spread. */
private fun halfWidth(values: List<Double>): Double {
    if (values.size < 2) return 0.0
    val mean = values.average()
    val deviation = sqrt(values.sumOf { (it - mean).pow(2) } / (values.size - 1))
    return studentQuantile(values.size - 1) * deviation / sqrt(values.size.toDouble())
}
