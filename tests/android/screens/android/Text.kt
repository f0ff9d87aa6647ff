// Stand-ins for the desktop, see ../README.md.
package android.text

import android.text.style.ForegroundColorSpan

interface Spannable : CharSequence {
    companion object {
        const val SPAN_EXCLUSIVE_EXCLUSIVE = 33
    }
}

/** Text with colours. */
class SpannableStringBuilder(private val text: String) : Spannable, CharSequence by text {
    private val spans = mutableListOf<Pair<IntRange, ForegroundColorSpan>>()

    fun setSpan(span: ForegroundColorSpan, start: Int, end: Int, flags: Int) {
        check(flags == Spannable.SPAN_EXCLUSIVE_EXCLUSIVE)
        spans += (start until end) to span
    }

    fun colorAt(index: Int): Int? = spans.lastOrNull { index in it.first }?.second?.color

    override fun toString() = text
}

/** The lines of a TextView. */
class Layout(val lines: List<Line>, val lineHeight: Int) {
    class Line(val start: Int, val end: Int)

    val height: Int get() = lines.size * lineHeight
}
