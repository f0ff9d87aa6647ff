package org.edge_asr.demo.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.widget.SeekBar
import org.edge_asr.core.live.ThresholdScale
import org.edge_asr.demo.R

/** The threshold's slider, with a mark where the model's own default is. */
class ThresholdBar(context: Context, attributes: AttributeSet?) : SeekBar(context, attributes) {
    private val density = resources.displayMetrics.density
    private val mark = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.text_muted) }

    /** Null: no mark. */
    var defaultPosition: Int? = null
        set(value) {
            if (field != value) invalidate()
            field = value
        }

    init {
        max = ThresholdScale.POSITIONS
    }

    override fun onDraw(canvas: Canvas) {
        defaultPosition?.let { drawMark(canvas, it) }
        super.onDraw(canvas)
    }

    private fun drawMark(canvas: Canvas, position: Int) {
        val along = (width - paddingLeft - paddingRight) * position.toFloat() / max
        val x = if (layoutDirection == LAYOUT_DIRECTION_RTL) width - paddingRight - along else paddingLeft + along
        val half = MARK_DP * density / 2
        canvas.drawRect(x - half, height / 2f + CLEAR_DP * density, x + half, height.toFloat() - BELOW_DP * density, mark)
    }

    private companion object {
        const val MARK_DP = 2f
        const val CLEAR_DP = 9f // of the thumb
        const val BELOW_DP = 4f
    }
}
