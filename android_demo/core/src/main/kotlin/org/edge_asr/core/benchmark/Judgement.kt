package org.edge_asr.core.benchmark

import kotlin.math.roundToInt
import org.edge_asr.core.measure.FEWEST_FOR_INTERVAL
import org.edge_asr.core.measure.relativeSpread

private const val SPREAD_LIMIT = 0.10

/** Whether the figures may be quoted, by the rules of edge_asr/profiling/verdict.py. */
internal fun judge(computeS: Map<String, DoubleArray>, emulated: Boolean, throttled: Boolean): Verdict {
    val spreads = if (emulated) emptyMap() else computeS.filterValues { it.size > 1 }.mapValues { relativeSpread(it.value) }
    val reasons = ArrayList<String>()
    if (emulated) reasons.add("emulated: time means nothing")
    for ((name, spread) in spreads) {
        if (spread > SPREAD_LIMIT) reasons.add("$name: its passes spread by ${percent(spread)} (limit ${percent(SPREAD_LIMIT)})")
    }
    val fewest = computeS.values.minOf { it.size }
    if (fewest < FEWEST_FOR_INTERVAL) {
        reasons.add("$fewest pass(es) are too few for an interval (at least $FEWEST_FOR_INTERVAL)")
    }
    if (throttled) reasons.add("the device was throttled")
    return Verdict(reasons.isEmpty(), reasons, spreads.values.maxOrNull())
}

private fun percent(share: Double) = "${(100 * share).roundToInt()}%"
