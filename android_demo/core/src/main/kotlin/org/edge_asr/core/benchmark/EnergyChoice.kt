package org.edge_asr.core.benchmark

import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.PassEnergy
import org.edge_asr.core.measure.Span
import org.edge_asr.core.measure.energyOf
import org.edge_asr.core.measure.notMeasured

/** The energy of each setting, by name, and what a reader must know of it. */
internal class EnergyFigures(val bySetting: Map<String, PassEnergy>, val notes: List<String>)

/**
 * Of the meters, the first one that covers most passes: all settings by the same one, as figures of two could not be
 * compared. [spans]: of each setting's passes. The meters are stopped.
 */
internal fun chooseEnergy(
    meters: List<EnergyMeter>,
    spans: Map<String, List<Span>>,
    idle: List<Span>,
    audioS: Double,
): EnergyFigures {
    val tried = meters.map { meter -> spans.mapValues { energyOf(meter, it.value, idle, audioS) } }
    val best = tried.indices.maxByOrNull { covered(tried[it]) } // of several, the first
    if (best == null || covered(tried[best]) == 0) return nothing(meters, tried, spans)
    val notes = ArrayList<String>()
    for ((number, meter) in meters.withIndex()) {
        val said = if (meter.problem == null) meter.readings() else null
        if (number == best) notes.add("energy by ${meter.name}: $said")
        else notes.add("energy by ${meter.name}: not taken (${whyNot(tried[number]) ?: "another was preferred"}; ${said ?: "no readings"})")
    }
    return EnergyFigures(tried[best], notes)
}

private fun nothing(
    meters: List<EnergyMeter>,
    tried: List<Map<String, PassEnergy>>,
    spans: Map<String, List<Span>>,
): EnergyFigures {
    val reasons = tried.mapNotNull(::whyNot).distinct()
    val reason = reasons.joinToString("; ").ifEmpty { "there is nothing that measures it" }
    val notes = meters.filter { it.problem == null }.map { "energy by ${it.name}: not measured; ${it.readings()}" }
    return EnergyFigures(spans.mapValues { notMeasured(reason, it.value.size) }, notes)
}

private fun covered(figures: Map<String, PassEnergy>): Int =
    if (figures.values.all { it.energy.measured }) figures.values.sumOf { it.joules.count { joules -> joules != null } } else 0

private fun whyNot(figures: Map<String, PassEnergy>): String? = figures.values.firstNotNullOfOrNull { it.energy.reason }
