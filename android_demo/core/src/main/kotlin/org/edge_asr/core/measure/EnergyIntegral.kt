package org.edge_asr.core.measure

import kotlin.math.abs
import kotlin.math.pow
import kotlin.math.sqrt

/** From one moment to another of the phone's monotonic clock. */
data class Span(val beginS: Double, val endS: Double) {
    val seconds: Double get() = endS - beginS
}

/** Energy between two moments. */
data class Window(
    val joules: Double,
    val seconds: Double,
    /** That lie within. */
    val samples: Int,
    /** Of them, as they came. */
    val sampleHz: Double,
    /** Half-width of the 95 % interval, from the sampling, the resolution and the clock; not the gauge's own calibration. */
    val uncertaintyJ: Double,
)

/** Energy cannot be told; the message is one line that says why. */
class NotCoveredException(message: String) : Exception(message)

internal const val TWO_SIDED_95 = 1.96
internal val UNIFORM_SD = 1 / sqrt(12.0)
private const val FEWEST_SAMPLES = 2
private const val FEWEST_LEVELS = 8
private const val LATE_READING_S = 1.0 // a counter is read so long after its time stamp at most

/**
 * Trapezoids, with the rules of edge_asr/profiling/meters/integrate.py: between two samples power is linear, windows may
 * begin and end between samples, and what is not covered is refused.
 *
 * [timesS] increase. [slackS]: how far a window may reach beyond the first or last sample, which is then held. [clockS]:
 * how exactly the samples' times are known. [repeats]: the source gives its last value again until it has another, so that
 * power may have moved any time since. Throws [NotCoveredException].
 */
fun integratePower(
    timesS: DoubleArray,
    watts: DoubleArray,
    span: Span,
    maxGapS: Double,
    slackS: Double = 0.0,
    clockS: Double = 0.0,
    repeats: Boolean = false,
): Window {
    val inside = samplesInside(timesS, span, slackS)
    val gapS = widestGapS(timesS, span)
    if (gapS > maxGapS) {
        throw NotCoveredException("a gap of ${twoDigits(gapS)} s between samples; at most ${twoDigits(maxGapS)} s can be bridged")
    }
    val fresh = timesS.indices.filter { !repeats || it == 0 || it == timesS.size - 1 || watts[it] != watts[it - 1] }
    val variance = samplingVariance(fresh.map { timesS[it] }.toDoubleArray(), fresh.map { watts[it] }.toDoubleArray(), span) +
        (UNIFORM_SD * resolution(watts) * span.seconds).pow(2) +
        listOf(span.beginS, span.endS).sumOf { (UNIFORM_SD * clockS * abs(interpolated(timesS, watts, it))).pow(2) }
    return window(trapezoids(timesS, watts, span, inside), span, timesS, inside, sqrt(variance))
}

/**
 * Differences of a counter that only rises. A gap within the window loses nothing. [timesS] increase. [highestW]: what the
 * counted part can take; a steeper rise is a reset. Throws [NotCoveredException].
 */
fun integrateCounter(
    timesS: DoubleArray,
    joules: DoubleArray,
    span: Span,
    highestW: Double,
    resolutionJ: Double = 0.0,
    slackS: Double = 0.0,
    clockS: Double = 0.0,
): Window {
    val inside = samplesInside(timesS, span, slackS)
    refuseImpossibleRise(timesS, joules, samplesAround(timesS, span), highestW)
    val edges = listOf(span.beginS, span.endS)
    val (atBeginJ, atEndJ) = edges.map { interpolated(timesS, joules, it) }
    val variance = 2 * (UNIFORM_SD * resolutionJ).pow(2) + edges.sumOf { edgeVariance(timesS, joules, it, clockS) }
    return window(atEndJ - atBeginJ, span, timesS, inside, sqrt(variance))
}

/** Indices. Throws [NotCoveredException] where they do not cover the window. */
private fun samplesInside(timesS: DoubleArray, span: Span, slackS: Double): IntRange {
    if (!(span.beginS < span.endS)) {
        throw NotCoveredException("a window must end after it begins: ${twoDigits(span.beginS)} s to ${twoDigits(span.endS)} s")
    }
    if (timesS.isEmpty()) throw NotCoveredException("there are no samples")
    if (span.beginS < timesS.first() - slackS) {
        throw NotCoveredException("samples begin ${twoDigits(timesS.first() - span.beginS)} s after the window does")
    }
    if (span.endS > timesS.last() + slackS) {
        throw NotCoveredException("samples end ${twoDigits(span.endS - timesS.last())} s before the window does")
    }
    val inside = firstAtOrAfter(timesS, span.beginS) until firstAtOrAfter(timesS, span.endS)
    val count = inside.last - inside.first + 1
    if (count < FEWEST_SAMPLES) {
        throw NotCoveredException("$count samples in a window of ${"%.3f".format(null, span.seconds)} s are too few")
    }
    return inside
}

/** Indices of those within a window, and of the next ones before and after it. */
private fun samplesAround(timesS: DoubleArray, span: Span): IntRange =
    (firstAfter(timesS, span.beginS) - 1).coerceAtLeast(0)..firstAtOrAfter(timesS, span.endS).coerceAtMost(timesS.size - 1)

/** Between two samples, of which a part lies in the window. */
internal fun widestGapS(timesS: DoubleArray, span: Span): Double =
    samplesAround(timesS, span).zipWithNext { one, next -> timesS[next] - timesS[one] }.maxOrNull() ?: 0.0

/** By the rule of edge_asr/profiling/meters/counters.py. Throws [NotCoveredException]. */
private fun refuseImpossibleRise(timesS: DoubleArray, joules: DoubleArray, samples: IntRange, highestW: Double) {
    for ((one, next) in samples.zipWithNext()) {
        val riseJ = joules[next] - joules[one]
        val gapS = timesS[next] - timesS[one]
        if (riseJ > highestW * (gapS + LATE_READING_S)) {
            val rose = "${twoDigits(riseJ)} J in ${twoDigits(gapS)} s"
            throw NotCoveredException("the energy counter rose by $rose, more than the ${highestW.toLong()} W that are possible: it was reset; measure again")
        }
    }
}

/** Before the first sample and after the last, power is held. */
private fun trapezoids(timesS: DoubleArray, watts: DoubleArray, span: Span, inside: IntRange): Double {
    var lastS = span.beginS
    var lastW = interpolated(timesS, watts, span.beginS)
    var joules = 0.0
    fun upTo(timeS: Double, power: Double) {
        joules += (lastW + power) / 2 * (timeS - lastS)
        lastS = timeS
        lastW = power
    }
    for (sample in inside) upTo(timesS[sample], watts[sample])
    upTo(span.endS, interpolated(timesS, watts, span.endS))
    return joules
}

/**
 * Of the integral, J². Samples that differ from their neighbours tell how much power moved unseen between them: half the
 * mean square of successive differences is the variance of one sample (von Neumann).
 */
private fun samplingVariance(timesS: DoubleArray, watts: DoubleArray, span: Span): Double =
    (1 until timesS.size).sumOf { sample ->
        val fromS = timesS[sample - 1].coerceIn(span.beginS, span.endS)
        val toS = timesS[sample].coerceIn(span.beginS, span.endS)
        ((watts[sample] - watts[sample - 1]) * (toS - fromS)).pow(2)
    } / 2

/** The smallest step between any two of them; 0 of too few different ones to tell the source's steps from the power's. */
private fun resolution(values: DoubleArray): Double {
    val distinct = values.distinct().sorted()
    if (distinct.size < FEWEST_LEVELS) return 0.0
    return distinct.zipWithNext { lower, higher -> higher - lower }.min()
}

/**
 * Where a window begins or ends between two readings of a counter: what may lie on the other side if power stepped just
 * there from what it was in the interval before to what it was in the one after; and what the clock makes of it. J².
 */
private fun edgeVariance(timesS: DoubleArray, joules: DoubleArray, edgeS: Double, clockS: Double): Double {
    val after = firstAfter(timesS, edgeS).coerceIn(1, timesS.size - 1)
    val readings = (after - 2).coerceAtLeast(0)..(after + 1).coerceAtMost(timesS.size - 1)
    val watts = readings.zipWithNext { one, next -> (joules[next] - joules[one]) / (timesS[next] - timesS[one]) }
    val lengthS = timesS[after] - timesS[after - 1]
    val share = ((edgeS - timesS[after - 1]) / lengthS).coerceIn(0.0, 1.0)
    val steppedJ = share * (1 - share) * lengthS * (watts.max() - watts.min())
    return steppedJ.pow(2) + (UNIFORM_SD * clockS * watts.maxOf { abs(it) }).pow(2)
}

private fun window(joules: Double, span: Span, timesS: DoubleArray, inside: IntRange, sdJ: Double): Window {
    val count = inside.last - inside.first + 1
    val hz = (count - 1) / (timesS[inside.last] - timesS[inside.first])
    return Window(joules, span.seconds, count, hz, TWO_SIDED_95 * sdJ)
}

/** Held before the first and after the last. */
private fun interpolated(timesS: DoubleArray, values: DoubleArray, atS: Double): Double {
    val after = firstAtOrAfter(timesS, atS)
    if (after == 0) return values.first()
    if (after == timesS.size) return values.last()
    val share = (atS - timesS[after - 1]) / (timesS[after] - timesS[after - 1])
    return values[after - 1] + share * (values[after] - values[after - 1])
}

private fun firstAtOrAfter(timesS: DoubleArray, atS: Double): Int = place(timesS) { it >= atS }

private fun firstAfter(timesS: DoubleArray, atS: Double): Int = place(timesS) { it > atS }

private inline fun place(timesS: DoubleArray, reached: (Double) -> Boolean): Int {
    var low = 0
    var high = timesS.size
    while (low < high) {
        val middle = (low + high) ushr 1
        if (reached(timesS[middle])) high = middle else low = middle + 1
    }
    return low
}

private fun twoDigits(value: Double) = "%.2f".format(null, value)
