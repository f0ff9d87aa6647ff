package org.edge_asr.core.measure

import java.util.Random
import kotlin.math.exp
import kotlin.math.pow
import kotlin.math.sqrt

/** Of five values, even the lowest to the highest covers the median in only 94 %. */
const val FEWEST_FOR_INTERVAL = 6

private const val RESAMPLES = 10_000
private const val NORMAL_975 = 1.959963984540054
private val STUDENT_OF_FEW = doubleArrayOf(12.7062, 4.3027, 3.1824, 2.7764)

/** From [low] to [high]. */
data class Interval(val low: Double, val high: Double)

/** A median and where it may lie; [ci95] is null of fewer than [FEWEST_FOR_INTERVAL] values. */
data class Estimate(val value: Double, val ci95: Interval?)

/**
 * Median over the pairs of passes that followed one another, so that what slows the phone slows both of a pair. Both are
 * positive and of the same length.
 */
fun interleavedRatio(numerators: DoubleArray, denominators: DoubleArray, seed: Long = 0): Estimate {
    require(numerators.size == denominators.size) { "${numerators.size} against ${denominators.size} passes" }
    val pairs = DoubleArray(numerators.size) { numerators[it] / denominators[it] }
    return Estimate(median(pairs), medianInterval(pairs, seed))
}

/**
 * 95 % interval of the median, by bootstrap; the same seed gives the same interval on every Java. As in
 * edge_asr/profiling/statistics.py the percentiles are moved out as Student's t is to the normal distribution, without
 * which the interval of few values is too narrow.
 */
fun medianInterval(values: DoubleArray, seed: Long = 0): Interval? {
    val count = values.size
    if (count < FEWEST_FOR_INTERVAL) return null
    val random = Random(seed)
    val drawn = DoubleArray(count)
    val medians = DoubleArray(RESAMPLES) {
        for (place in drawn.indices) drawn[place] = values[random.nextInt(count)]
        median(drawn)
    }
    medians.sort()
    val tail = normalTail(sqrt(count / (count - 1.0)) * studentQuantile(count - 1))
    return Interval(interpolatedQuantile(medians, tail), interpolatedQuantile(medians, 1 - tail))
}

/** Where the upper 2.5 % of Student's t begin, to 0.2 %: from five degrees on, Cornish and Fisher's series. */
fun studentQuantile(degrees: Int): Double {
    require(degrees >= 1) { "no t of $degrees degrees" }
    if (degrees <= STUDENT_OF_FEW.size) return STUDENT_OF_FEW[degrees - 1]
    val z = NORMAL_975
    val n = degrees.toDouble()
    return z +
        (z.pow(3) + z) / (4 * n) +
        (5 * z.pow(5) + 16 * z.pow(3) + 3 * z) / (96 * n.pow(2)) +
        (3 * z.pow(7) + 19 * z.pow(5) + 17 * z.pow(3) - 15 * z) / (384 * n.pow(3))
}

/** Of the standard normal distribution above [z] >= 0, to 1e-7 (Abramowitz and Stegun 26.2.17). */
internal fun normalTail(z: Double): Double {
    val t = 1 / (1 + 0.2316419 * z)
    val series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    return exp(-z * z / 2) / sqrt(2 * Math.PI) * series
}
