package org.edge_asr.core.measure

import kotlin.math.ceil

/** Of repeated times, as `Distribution` in edge_asr/profiling/report.py. */
data class Distribution(val count: Int, val meanMs: Double, val p50Ms: Double, val p90Ms: Double, val p99Ms: Double)

/**
 * Null of nothing. Percentiles are by nearest rank (the lowest value that at least so many percent do not exceed), so that
 * each is a time that was measured. Of few values, p90 and p99 are the highest.
 */
fun distribution(valuesMs: DoubleArray): Distribution? {
    if (valuesMs.isEmpty()) return null
    val sorted = valuesMs.sortedArray()
    return Distribution(
        count = sorted.size,
        meanMs = sorted.average(),
        p50Ms = nearestRank(sorted, 50),
        p90Ms = nearestRank(sorted, 90),
        p99Ms = nearestRank(sorted, 99),
    )
}

/** [sorted] is not empty; whole percent, so that no rounding moves a rank. */
private fun nearestRank(sorted: DoubleArray, percent: Int): Double {
    val rank = (sorted.size.toLong() * percent + 99) / 100
    return sorted[(rank - 1).coerceAtLeast(0).toInt()]
}

/** Linear between the two values next to [share], 0 to 1; [sorted] is not empty. */
fun interpolatedQuantile(sorted: DoubleArray, share: Double): Double {
    val position = share * (sorted.size - 1)
    val above = ceil(position).toInt().coerceIn(0, sorted.size - 1)
    val below = (above - 1).coerceAtLeast(0)
    return sorted[below] + (position - below) * (sorted[above] - sorted[below])
}

fun median(values: DoubleArray): Double = interpolatedQuantile(values.sortedArray(), 0.5)

/**
 * From the 10th to the 90th percentile (interpolated), over the median: 0.05 says that four passes in five lie within 5 %
 * of each other.
 */
fun relativeSpread(values: DoubleArray): Double {
    val sorted = values.sortedArray()
    val middle = interpolatedQuantile(sorted, 0.5)
    return (interpolatedQuantile(sorted, 0.9) - interpolatedQuantile(sorted, 0.1)) / middle
}
