package org.edge_asr.demo.benchmark

import android.content.res.Resources
import org.edge_asr.core.benchmark.Ratio
import org.edge_asr.core.benchmark.Report
import org.edge_asr.core.benchmark.Result
import org.edge_asr.demo.R

/** What a report says, for somebody who looks at the phone: the file has the rest. */
class ReportInWords(private val resources: Resources) {
    fun text(report: Report): String {
        val parts = ArrayList<String>()
        parts.add(verdict(report))
        report.results.mapTo(parts, ::setting)
        report.ratios.mapTo(parts, ::ratio)
        report.results.firstOrNull()?.energy?.takeIf { !it.measured }?.let {
            parts.add(resources.getString(R.string.benchmark_energy_not_measured, it.reason))
        }
        return parts.joinToString("\n\n")
    }

    private fun verdict(report: Report): String =
        if (report.verdict.quotable) resources.getString(R.string.benchmark_quotable)
        else resources.getString(R.string.benchmark_not_quotable, report.verdict.reasons.joinToString("; "))

    private fun setting(result: Result): String {
        val lines = arrayListOf(result.setting.name)
        if (result.frames > 0) {
            lines.add(resources.getString(R.string.benchmark_kept, 100.0 * result.keptFrames / result.frames))
        }
        result.latency?.let { latency ->
            lines.add(resources.getString(R.string.benchmark_rtf, latency.rtf))
            latency.warmStepMs?.let { lines.add(resources.getString(R.string.benchmark_step, it.p50Ms, it.p99Ms)) }
            latency.coldLoadMs?.let { lines.add(resources.getString(R.string.benchmark_load, it.p50Ms)) }
        }
        val energy = result.energy
        val mj = energy.mjPerAudioS
        val uncertainty = energy.uncertaintyMjPerAudioS
        if (mj != null && uncertainty != null) {
            lines.add(resources.getString(R.string.benchmark_energy, mj, uncertainty, energy.source))
        }
        return lines.joinToString("\n")
    }

    private fun ratio(ratio: Ratio): String {
        val quantity = when (ratio.quantity) {
            "compute" -> R.string.benchmark_compute
            "energy" -> R.string.benchmark_energy_name
            else -> R.string.benchmark_memory
        }
        val interval = ratio.ci95 ?: return resources.getString(
            R.string.benchmark_ratio, resources.getString(quantity), ratio.of, ratio.to, ratio.ratio,
        )
        return resources.getString(
            R.string.benchmark_ratio_interval,
            resources.getString(quantity), ratio.of, ratio.to, ratio.ratio, interval.low, interval.high,
        )
    }
}
