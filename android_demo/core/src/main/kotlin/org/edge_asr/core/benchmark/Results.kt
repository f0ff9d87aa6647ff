package org.edge_asr.core.benchmark

import org.edge_asr.core.measure.PassEnergy
import org.edge_asr.core.measure.distribution
import org.edge_asr.core.measure.interleavedRatio
import org.edge_asr.core.measure.median

/** From what was seen of a setting to what a report says of it. On an emulator time and memory mean nothing. */
internal fun resultOf(seen: Seen, energy: PassEnergy, emulated: Boolean): Result {
    val once = seen.once
    return Result(
        setting = seen.setting,
        audioS = once.sumOf { it.audioS },
        frames = once.sumOf { it.frames },
        keptFrames = once.sumOf { it.keptFrames },
        upperRuns = once.sumOf { it.upperRuns },
        steps = once.sumOf { it.stepMs.size.toLong() },
        latency = if (emulated) null else latencyOf(seen),
        memory = Memory(
            fileBytes = seen.model.length(),
            peakRssBytes = if (emulated) null else seen.cold.mapNotNull { it.peakResidentBytes }.maxOrNull(),
            pssBytes = if (emulated) null else seen.cold.mapNotNull { it.pssBytes }.maxOrNull(),
            growthBytes = if (emulated) null else seen.growthBytes,
        ),
        energy = energy.energy,
        passes = if (emulated) emptyList() else seen.passes.zip(energy.joules) { pass, joules ->
            Pass(pass.order, pass.computeS, pass.cpuS, joules)
        },
    )
}

private fun latencyOf(seen: Seen) = Latency(
    coldLoadMs = distribution(seen.cold.map { it.loadMs }.toDoubleArray()),
    startToFirstResultMs = distribution(seen.cold.mapNotNull { it.firstResultMs }.toDoubleArray()),
    firstStepMs = distribution(seen.cold.map { it.firstStepMs }.toDoubleArray()),
    warmStepMs = distribution(seen.stepMs()),
    warmStepUpperMs = distribution(seen.stepMs(upper = true)),
    warmStepSkippedMs = distribution(seen.stepMs(upper = false)),
    firstPartialMs = distribution(seen.firstPartialMs.toDoubleArray()),
    endOfSpeechMs = distribution(seen.endOfSpeechMs.toDoubleArray()),
    rtf = median(seen.passes.map { it.computeS / it.audioS }.toDoubleArray()),
)

/** The first setting over each of the others. */
internal fun compare(measured: List<Seen>, energies: Map<String, PassEnergy>): List<Ratio> {
    val first = measured.first()
    return measured.drop(1).flatMap { other ->
        listOfNotNull(
            ratio(first, other, "compute", first.computeS.toList(), other.computeS.toList()),
            ratio(first, other, "energy", energies.getValue(first.name).joules, energies.getValue(other.name).joules),
            ratio(first, other, "peak_rss", peaks(first), peaks(other)),
        )
    }
}

private fun peaks(seen: Seen): List<Double?> = seen.cold.map { it.peakResidentBytes?.toDouble() }

/** Over the pairs that both have; null where there are none. Energy that idle swallowed has no ratio. */
private fun ratio(of: Seen, to: Seen, quantity: String, numerators: List<Double?>, denominators: List<Double?>): Ratio? {
    val pairs = numerators.zip(denominators) { above, below -> if (above == null || below == null) null else above to below }
        .filterNotNull()
    if (pairs.isEmpty() || pairs.any { minOf(it.first, it.second) <= 0 }) return null
    val above = DoubleArray(pairs.size) { pairs[it].first }
    val below = DoubleArray(pairs.size) { pairs[it].second }
    val found = interleavedRatio(above, below)
    return Ratio(of.name, to.name, quantity, found.value, found.ci95, pairs.size)
}
