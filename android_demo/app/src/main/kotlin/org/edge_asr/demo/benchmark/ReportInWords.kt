package org.edge_asr.demo.benchmark

import android.content.res.Resources
import java.util.Locale
import org.edge_asr.core.benchmark.Ratio
import org.edge_asr.core.benchmark.Report
import org.edge_asr.core.benchmark.Result
import org.edge_asr.core.live.Figures
import org.edge_asr.demo.R

/** What a report says, for somebody who looks at the phone: the file has the rest. */
class ReportInWords(private val resources: Resources, private val report: Report) {
    private val figures = Figures(Locale.getDefault())

    fun verdict(): String = text(if (report.verdict.quotable) R.string.benchmark_quotable else R.string.benchmark_not_quotable)

    /** The quantities in the order of what a gate is for. What no phone tells is not there, but for energy: that it is missing is said. */
    fun comparisons(): List<Comparison> = listOf(compute(), energy(), kept(), step(), load(), memory()).filter { it.rows.isNotEmpty() || it.notes.isNotEmpty() }

    private fun compute() = comparison(R.string.benchmark_compute, R.string.benchmark_compute_unit, ratios("compute"), { it.latency?.rtf }) {
        text(R.string.benchmark_compute_figure, it)
    }

    private fun energy(): Comparison {
        val energies = report.results.map { it.energy }
        val sources = energies.mapNotNull { it.source }.distinct().map { text(R.string.benchmark_energy_source, it) }
        val reasons = energies.mapNotNull { it.reason }.distinct().map(::sentence)
        val notes = ratios("energy") + sources + reasons
        return Comparison(
            text(R.string.benchmark_energy),
            text(R.string.benchmark_energy_unit),
            rows({ it.energy.mjPerAudioS }) { result, mj ->
                text(R.string.benchmark_energy_figure, mj, result.energy.uncertaintyMjPerAudioS ?: Double.NaN)
            },
            notes,
        )
    }

    private fun kept() = comparison(R.string.benchmark_kept, R.string.benchmark_kept_unit, emptyList(), { result ->
        if (result.frames > 0) result.keptFrames.toDouble() / result.frames else null
    }) { text(R.string.percent, figures.percent(it)) }

    private fun step(): Comparison {
        val slow = report.results.mapNotNull { result ->
            result.latency?.warmStepMs?.let { text(R.string.benchmark_step_99, result.setting.name, it.p99Ms) }
        }
        return comparison(R.string.benchmark_step, R.string.benchmark_ms, slow, { it.latency?.warmStepMs?.p50Ms }) {
            text(R.string.benchmark_step_figure, it)
        }
    }

    private fun load() = comparison(R.string.benchmark_load, R.string.benchmark_ms, emptyList(), { it.latency?.coldLoadMs?.p50Ms }) {
        text(R.string.benchmark_load_figure, it)
    }

    private fun memory() = comparison(
        R.string.benchmark_memory, R.string.benchmark_memory_unit, ratios("peak_rss"), { it.memory.peakRssBytes?.let { bytes -> 1e-6 * bytes } },
    ) { text(R.string.benchmark_memory_figure, it) }

    private fun comparison(quantity: Int, unit: Int, notes: List<String>, value: (Result) -> Double?, figure: (Double) -> String) =
        Comparison(text(quantity), text(unit), rows(value) { _, found -> figure(found) }, notes)

    /** None where no setting has a value. */
    private fun rows(value: (Result) -> Double?, figure: (Result, Double) -> String): List<Comparison.Row> {
        val highest = report.results.mapNotNull(value).maxOrNull() ?: return emptyList()
        return report.results.map { result ->
            val own = value(result)
            val share = if (own == null || highest <= 0) 0.0 else (own / highest).coerceIn(0.0, 1.0)
            Comparison.Row(result.setting.name, own?.let { figure(result, it) }, share)
        }
    }

    private fun ratios(quantity: String): List<String> = report.ratios.filter { it.quantity == quantity }.map(::ratio)

    private fun ratio(ratio: Ratio): String {
        val interval = ratio.ci95 ?: return text(R.string.benchmark_ratio, ratio.of, ratio.ratio, ratio.to)
        return text(R.string.benchmark_ratio_interval, ratio.of, ratio.ratio, ratio.to, interval.low, interval.high)
    }

    private fun text(id: Int, vararg values: Any): String = resources.getString(id, *values)
}

/** A line of `core` as it stands alone on a screen. */
fun sentence(line: String): String = line.replaceFirstChar { it.uppercaseChar() }.removeSuffix(".") + "."
