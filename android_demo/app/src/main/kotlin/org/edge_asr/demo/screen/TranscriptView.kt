package org.edge_asr.demo.screen

import android.content.Context
import android.text.Spannable
import android.text.SpannableStringBuilder
import android.text.method.ScrollingMovementMethod
import android.text.style.ForegroundColorSpan
import android.util.AttributeSet
import android.view.MotionEvent
import android.widget.TextView
import org.edge_asr.core.live.lastWords
import org.edge_asr.demo.R

/**
 * What was heard: settled words in the text's colour, those that may still change in grey. It scrolls in itself, follows the newest line,
 * and asks for no more height than its least, so that a long text does not push the strip off the screen.
 */
class TranscriptView(context: Context, attributes: AttributeSet?) : TextView(context, attributes) {
    private var shown = ""
    private var shownSettled = 0 // characters of it
    private var follows = true // the newest line

    init {
        movementMethod = ScrollingMovementMethod()
    }

    /** [whole] is [settled] and what follows it. */
    fun show(settled: String, whole: String) {
        if (shown == whole && shownSettled == settled.length) return
        shown = whole
        shownSettled = settled.length
        val last = lastWords(whole, MOST_CHARACTERS)
        val spans = SpannableStringBuilder(last)
        val grey = ForegroundColorSpan(context.getColor(R.color.text_muted))
        spans.setSpan(grey, maxOf(0, last.length - (whole.length - settled.length)), last.length, Spannable.SPAN_EXCLUSIVE_EXCLUSIVE)
        text = spans
        if (follows) scrollToEnd()
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val height = if (MeasureSpec.getMode(heightMeasureSpec) == MeasureSpec.EXACTLY) {
            heightMeasureSpec
        } else {
            MeasureSpec.makeMeasureSpec(minimumHeight(), MeasureSpec.EXACTLY)
        }
        super.onMeasure(widthMeasureSpec, height)
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        super.onLayout(changed, left, top, right, bottom)
        if (follows) scrollToEnd()
    }

    /** The screen scrolls, too, where it is small: a finger on a long text is meant for the text. Who reads further up is left there. */
    override fun onTouchEvent(event: MotionEvent): Boolean {
        val taken = super.onTouchEvent(event)
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                follows = false
                if (overflow() > 0) parent.requestDisallowInterceptTouchEvent(true)
            }
            MotionEvent.ACTION_UP, MotionEvent.ACTION_CANCEL -> follows = scrollY > overflow() - lineHeight
        }
        return taken
    }

    private fun minimumHeight() = maxOf(minHeight, LEAST_LINES * lineHeight)

    private fun scrollToEnd() = scrollTo(0, overflow())

    /** Pixels of the text that are out of sight; a hint is read from its beginning. */
    private fun overflow(): Int {
        val lines = layout ?: return 0
        if (text.isEmpty()) return 0
        return maxOf(0, lines.height - (height - compoundPaddingTop - compoundPaddingBottom))
    }

    private companion object {
        const val MOST_CHARACTERS = 4_000
        const val LEAST_LINES = 3
    }
}
