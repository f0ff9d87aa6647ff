package org.edge_asr.demo.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.widget.TextView
import org.edge_asr.demo.R

/** A line of the strip's legend: the bar or the dash as the strip draws them, then what it means. */
class LegendView(context: Context, attributes: AttributeSet?) : TextView(context, attributes) {
    private val density = resources.displayMetrics.density
    private val sample = Paint()
    private val isKept = id == R.id.legend_kept

    init {
        sample.color = context.getColor(if (isKept) R.color.kept else R.color.skipped)
        setPadding((SAMPLE_DP * density).toInt(), 0, 0, 0)
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val base = baseline.toFloat()
        val high = if (isKept) textSize * BAR_HEIGHT else GateStripView.DASH_DP * density
        for (frame in 0 until FRAMES) {
            val left = frame * GateStripView.PITCH_DP * density
            canvas.drawRect(left, base - high, left + GateStripView.BAR_DP * density, base, sample)
        }
    }

    private companion object {
        const val FRAMES = 3
        const val SAMPLE_DP = 13f
        const val BAR_HEIGHT = 0.85f // of the letters' size
    }
}
