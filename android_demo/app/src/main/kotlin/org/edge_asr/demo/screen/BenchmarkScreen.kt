package org.edge_asr.demo.screen

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import org.edge_asr.core.benchmark.Report
import org.edge_asr.demo.R
import org.edge_asr.demo.benchmark.Comparison
import org.edge_asr.demo.benchmark.ReportInWords
import org.edge_asr.demo.benchmark.sentence

/** The views of `layout/benchmark.xml`, told what to show: how far it is, then what was found or why it did not finish. */
class BenchmarkScreen(private val root: View) {
    private val context: Context = root.context
    private val inflater = LayoutInflater.from(context)
    private val stacked = context.resources.configuration.fontScale > LARGE_FONT
    private val running = root.child<View>(R.id.benchmark_running)
    private val verdict = root.child<View>(R.id.benchmark_verdict)
    private val comparisons = root.child<LinearLayout>(R.id.benchmark_comparisons)
    private val folder = root.child<TextView>(R.id.benchmark_folder)

    fun showProgress(line: String) {
        show(R.string.benchmark_measuring, isRunning = true)
        root.child<TextView>(R.id.benchmark_progress).text = line.replaceFirstChar { it.uppercaseChar() }
    }

    /** [folderName] is where the report lies. */
    fun showReport(report: Report, folderName: String) {
        show(R.string.benchmark_done, isRunning = false)
        val words = ReportInWords(context.resources, report)
        showVerdict(words.verdict(), report.verdict.reasons.map(::sentence))
        for (comparison in words.comparisons()) comparisons.addView(panel(comparison))
        folder.visibility = View.VISIBLE
        folder.text = context.getString(R.string.benchmark_folder, folderName)
    }

    fun showFailure(message: String) {
        show(R.string.benchmark_ended, isRunning = false)
        showVerdict(context.getString(R.string.benchmark_failed), listOf(sentence(message)))
    }

    private fun show(status: Int, isRunning: Boolean) {
        val told = context.getString(status)
        val line = root.child<TextView>(R.id.benchmark_status)
        if (line.text.toString() != told) line.text = told // a screen reader speaks of every change
        running.visibility = visible(isRunning)
        verdict.visibility = View.GONE
        folder.visibility = View.GONE
        comparisons.removeAllViews()
    }

    /** With [problems] it is a warning. */
    private fun showVerdict(text: String, problems: List<String>) {
        val good = problems.isEmpty()
        verdict.visibility = View.VISIBLE
        verdict.setBackgroundResource(if (good) R.drawable.panel else R.drawable.notice_panel)
        root.child<TextView>(R.id.benchmark_verdict_text).let {
            it.setTextColor(context.getColor(if (good) R.color.saving else R.color.on_notice))
            it.text = text
        }
        root.child<TextView>(R.id.benchmark_reasons).showLines(problems)
    }

    private fun panel(comparison: Comparison): View {
        val panel = inflater.inflate(R.layout.benchmark_comparison, comparisons, false)
        val measured = comparison.rows.isNotEmpty()
        panel.child<TextView>(R.id.comparison_quantity).text = comparison.quantity
        panel.child<TextView>(R.id.comparison_unit).text =
            if (measured) comparison.unit else context.getString(R.string.benchmark_not_measured)
        panel.child<TextView>(R.id.comparison_notes).showLines(comparison.notes)
        stackIfLarge(panel.child(R.id.comparison_heading))
        val rows = panel.child<LinearLayout>(R.id.comparison_rows)
        for ((at, row) in comparison.rows.withIndex()) rows.addView(line(row, rows, isFirst = at == 0))
        return panel
    }

    private fun line(row: Comparison.Row, rows: ViewGroup, isFirst: Boolean): View {
        val line = inflater.inflate(R.layout.benchmark_row, rows, false)
        line.child<TextView>(R.id.row_setting).text = row.setting
        line.child<TextView>(R.id.row_figure).text = row.figure ?: context.getString(R.string.benchmark_not_measured)
        // the first setting is what the others are compared with
        line.child<ShareBar>(R.id.row_share).show(row.share, context.getColor(if (isFirst) R.color.kept else R.color.skipped))
        stackIfLarge(line.child(R.id.row_line))
        return line
    }

    /** Letters so large that what stands side by side would not fit. */
    private fun stackIfLarge(line: LinearLayout) {
        if (stacked) line.orientation = LinearLayout.VERTICAL
    }

    private fun TextView.showLines(lines: List<String>) {
        visibility = visible(lines.isNotEmpty())
        text = lines.joinToString("\n")
    }

    private fun visible(visible: Boolean) = if (visible) View.VISIBLE else View.GONE

    private fun <V : View> View.child(id: Int): V {
        val found: View = findViewById(id)
        @Suppress("UNCHECKED_CAST")
        return found as V
    }

    private companion object {
        const val LARGE_FONT = 1.3f
    }
}
