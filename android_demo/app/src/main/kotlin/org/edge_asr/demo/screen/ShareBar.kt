package org.edge_asr.demo.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/** A bar as long as a figure's share of the highest one beside it. */
class ShareBar(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val bar = Paint(Paint.ANTI_ALIAS_FLAG)
    private var share = 0f

    /** [share] from 0 to 1. */
    fun show(share: Double, color: Int) {
        this.share = share.toFloat()
        bar.color = color
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val long = share * width
        val left = if (layoutDirection == LAYOUT_DIRECTION_RTL) width - long else 0f
        val round = height / 2f
        canvas.drawRoundRect(left, 0f, left + long, height.toFloat(), round, round, bar)
    }
}
