package org.edge_asr.demo.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.os.SystemClock
import android.util.AttributeSet
import android.view.View
import org.edge_asr.core.strip.GateStrip
import org.edge_asr.core.strip.StripLayout
import org.edge_asr.core.strip.StripScroll
import org.edge_asr.demo.R

/**
 * The last seconds of the stream, a bar for each frame: tall where the gate kept it, a dash where it was skipped, so that no eye needs the
 * colours. The newest is on the right. Under it the seconds.
 */
class GateStripView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val bar = Paint(Paint.ANTI_ALIAS_FLAG)
    private val tick = Paint().apply { color = context.getColor(R.color.tick) }
    private val label = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.text_muted)
        textSize = LABEL_SP * resources.displayMetrics.scaledDensity
        textAlign = Paint.Align.RIGHT
    }
    private val kept = context.getColor(R.color.kept)
    private val skipped = context.getColor(R.color.skipped)
    private val pitchPx = PITCH_DP * density
    private val barPx = BAR_DP * density
    private val dashPx = DASH_DP * density
    private val labelPx = label.textSize * LABEL_LINE

    private var strip = GateStrip(0)
    private var frameS = 0.0
    private var scroll = StripScroll(1.0)
    private var still = false

    /** [still]: frames appear at once, as a person wishes who switched animations off. */
    fun show(strip: GateStrip, frameS: Double, chunkMs: Double, still: Boolean) {
        if (this.frameS != frameS) {
            this.frameS = frameS
            scroll = StripScroll(chunkMs)
        }
        if (strip.frames == this.strip.frames) return
        this.strip = strip
        this.still = still
        scroll.arrived(strip.frames, SystemClock.uptimeMillis())
        invalidate()
    }

    /** How many frames are in sight, what a spoken description tells of; all, until it has been laid out. */
    fun framesInSight(): Int = if (width == 0) Int.MAX_VALUE else (width / pitchPx).toInt()

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val height = (BARS_DP * density + labelPx).toInt()
        setMeasuredDimension(getDefaultSize(suggestedMinimumWidth, widthMeasureSpec), resolveSize(height, heightMeasureSpec))
    }

    override fun onDraw(canvas: Canvas) {
        val nowMs = SystemClock.uptimeMillis()
        val shown = if (still) strip.frames.toDouble() else scroll.shown(nowMs)
        val layout = StripLayout(width.toFloat(), pitchPx, frameS)
        val bottom = height - labelPx
        canvas.drawRect(0f, bottom - density, width.toFloat(), bottom, tick)
        layout.eachSecond(shown) { x, second ->
            canvas.drawRect(x - density, 0f, x, bottom, tick)
            canvas.drawText(resources.getString(R.string.strip_second, second), x, height - LABEL_DROP * label.textSize, label)
        }
        layout.eachFrame(strip, shown) { left, isKept -> drawFrame(canvas, left, bottom, isKept) }
        if (!still && scroll.moving(nowMs)) postInvalidateOnAnimation()
    }

    private fun drawFrame(canvas: Canvas, left: Float, bottom: Float, isKept: Boolean) {
        bar.color = if (isKept) kept else skipped
        val top = if (isKept) density * BAR_TOP_DP else bottom - dashPx
        canvas.drawRect(left, top, left + barPx, bottom, bar)
    }

    companion object {
        const val PITCH_DP = 2.5f
        const val BAR_DP = 1.75f
        const val DASH_DP = 4f
        const val BARS_DP = 52f
        private const val BAR_TOP_DP = 4f
        private const val LABEL_SP = 11f
        private const val LABEL_LINE = 1.4f // of the letters' size
        private const val LABEL_DROP = 0.15f
    }
}
