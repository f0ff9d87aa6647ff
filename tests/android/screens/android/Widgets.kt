// Stand-ins for the desktop, see ../README.md: measured, laid out and drawn as Android does it, as far as the app's screen needs.
package android.widget

import android.content.Context
import android.graphics.Canvas
import android.graphics.Fonts
import android.graphics.Paint
import android.text.Layout
import android.text.SpannableStringBuilder
import android.text.method.ScrollingMovementMethod
import android.util.AttributeSet
import android.view.LayoutParams
import android.view.View
import android.view.ViewGroup

private const val LETTERS = "Hg"

open class TextView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        textSize = resources.size(attributes?.get("textSize") ?: "14sp")
        bold = attributes?.get("textStyle") == "bold"
    }
    private var colour: (Boolean) -> Int = { enabled -> resources.color(attributes?.get("textColor") ?: "@color/text", enabled) }
    private val hintColor = attributes?.get("textColorHint")?.let { resources.color(it) } ?: 0
    private val spacing = attributes?.get("lineSpacingMultiplier")?.toFloat() ?: 1f
    protected open val gravity: String = attributes?.get("gravity") ?: "start"
    var movementMethod: ScrollingMovementMethod? = null
    var text: CharSequence = attributes?.get("text")?.let(resources::text) ?: ""
    var hint: CharSequence? = null
    var layout: Layout? = null
        private set
    val textSize: Float get() = paint.textSize
    val minHeight: Int get() = minHeightPx
    val lineHeight: Int get() = Math.round(spacing * ascentAndDescent())
    val compoundPaddingTop: Int get() = paddingTop
    val compoundPaddingBottom: Int get() = paddingBottom

    /** Right of the text. */
    protected open val reserved: Int get() = 0

    private val metrics get() = paint.font.getLineMetrics(LETTERS, Fonts.context)

    private fun ascentAndDescent() = metrics.ascent + metrics.descent

    fun setTextColor(color: Int) {
        colour = { color }
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val around = paddingLeft + paddingRight + reserved
        val most = if (MeasureSpec.getMode(widthMeasureSpec) == MeasureSpec.UNSPECIFIED) Int.MAX_VALUE else MeasureSpec.getSize(widthMeasureSpec)
        val lines = broken(shownText().toString(), most - around)
        layout = lines
        val widest = lines.lines.maxOfOrNull { paint.measureText(shownText().substring(it.start, it.end)) } ?: 0f
        val width = resolveSize(maxOf(minWidthPx, Math.ceil(widest.toDouble()).toInt() + around), widthMeasureSpec)
        setMeasuredDimension(width, resolveSize(maxOf(minHeightPx, lines.height + paddingTop + paddingBottom), heightMeasureSpec))
    }

    private fun shownText(): CharSequence = if (text.isEmpty()) hint ?: "" else text

    /** Greedy, between words and after a slash, as Android does it where nothing else is said. */
    private fun broken(text: String, room: Int): Layout {
        val lines = mutableListOf<Layout.Line>()
        var start = 0
        while (start <= text.length) {
            val paragraph = text.indexOf('\n', start).let { if (it < 0) text.length else it }
            var from = start
            while (true) {
                val to = fitting(text, from, paragraph, room)
                lines += Layout.Line(from, to)
                from = to
                while (from < paragraph && text[from] == ' ') from++
                if (from >= paragraph) break
            }
            start = paragraph + 1
        }
        return Layout(lines, lineHeight)
    }

    private fun fitting(text: String, from: Int, end: Int, room: Int): Int {
        if (paint.measureText(text.substring(from, end)) <= room) return end
        var best = -1
        for (at in from + 1 until end) {
            if (text[at] != ' ' && text[at - 1] != '/') continue
            if (paint.measureText(text.substring(from, at)) > room) break
            best = at
        }
        if (best > from) return best
        var letters = from + 1
        while (letters < end && paint.measureText(text.substring(from, letters + 1)) <= room) letters++
        return letters
    }

    private fun firstLineTop(): Int {
        val lines = layout ?: return 0
        val free = height - paddingTop - paddingBottom - lines.height
        return paddingTop + if ("center" in gravity.split('|') || "center_vertical" in gravity) maxOf(0, free / 2) else 0
    }

    override val baseline: Int get() = firstLineTop() + metrics.ascent.toInt()

    /** Before it is laid out, for parents that align their children. */
    fun measuredBaseline(): Int = paddingTop + metrics.ascent.toInt()

    override fun onDraw(canvas: Canvas) {
        val lines = layout ?: return
        val shown = shownText()
        val base = if (text.isEmpty()) hintColor else colour(isEnabled)
        canvas.within(0, paddingTop, width, height - paddingTop - paddingBottom) { inner ->
            var y = firstLineTop() - paddingTop - scrollY + metrics.ascent
            for (line in lines.lines) {
                drawLine(inner, shown, line, y, base)
                y += lines.lineHeight
            }
        }
    }

    private fun drawLine(canvas: Canvas, shown: CharSequence, line: Layout.Line, y: Float, base: Int) {
        val whole = shown.substring(line.start, line.end)
        val room = width - paddingLeft - paddingRight - reserved - paint.measureText(whole)
        var x = paddingLeft + when {
            "center" in gravity.split('|') || "center_horizontal" in gravity -> room / 2
            "end" in gravity.split('|') -> room
            else -> 0f
        }
        var start = line.start
        while (start < line.end) { // runs of one colour
            val color = colorAt(shown, start, base)
            var end = start
            while (end < line.end && colorAt(shown, end, base) == color) end++
            paint.color = color
            canvas.drawText(shown.substring(start, end), x, y, paint)
            x += paint.measureText(shown.substring(start, end))
            start = end
        }
    }

    private fun colorAt(shown: CharSequence, index: Int, base: Int): Int = (shown as? SpannableStringBuilder)?.colorAt(index) ?: base
}

open class Button(context: Context, attributes: AttributeSet?) : TextView(context, attributes) {
    override val gravity = "center"
}

class Space(context: Context, attributes: AttributeSet?) : View(context, attributes)

class Switch(context: Context, attributes: AttributeSet?) : TextView(context, attributes) {
    var isChecked = false
        set(value) {
            if (field == value) return
            field = value
            changed(this, value)
        }
    private var changed: (Switch, Boolean) -> Unit = { _, _ -> }
    private val gap = resources.size(attributes?.get("switchPadding") ?: "0dp").toInt()
    private val trackWidth = resources.size("34dp")
    override val reserved: Int get() = trackWidth.toInt() + gap + resources.size("4dp").toInt()
    override val gravity = "center_vertical"

    fun setOnCheckedChangeListener(listener: (Switch, Boolean) -> Unit) {
        changed = listener
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val density = resources.displayMetrics.density
        val middle = height / 2f
        val right = width - 2 * density
        val paint = Paint(Paint.ANTI_ALIAS_FLAG)
        val color = resources.color(if (isChecked) "@color/accent" else "@color/text_muted")
        paint.color = (color and 0xFFFFFF) or 0x66000000
        canvas.drawRoundRect(right - trackWidth, middle - 7 * density, right, middle + 7 * density, 7 * density, 7 * density, paint)
        paint.color = color
        canvas.drawCircle(if (isChecked) right - 8 * density else right - trackWidth + 8 * density, middle, 10 * density, paint)
    }
}

open class SeekBar(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    interface OnSeekBarChangeListener {
        fun onProgressChanged(bar: SeekBar?, position: Int, byPerson: Boolean)

        fun onStartTrackingTouch(bar: SeekBar?)

        fun onStopTrackingTouch(bar: SeekBar?)
    }

    var max = 100
    var progress = 0
    var listener: OnSeekBarChangeListener? = null
        private set

    init {
        val side = (16 * resources.displayMetrics.density).toInt()
        setPadding(side, 0, side, 0)
    }

    fun setOnSeekBarChangeListener(listener: OnSeekBarChangeListener) {
        this.listener = listener
    }

    override fun onDraw(canvas: Canvas) {
        val density = resources.displayMetrics.density
        val middle = height / 2f
        val x = paddingLeft + (width - paddingLeft - paddingRight) * progress.toFloat() / max
        val paint = Paint(Paint.ANTI_ALIAS_FLAG)
        paint.color = resources.color("@color/outline")
        canvas.drawRect(paddingLeft.toFloat(), middle - density, (width - paddingRight).toFloat(), middle + density, paint)
        paint.color = resources.color(if (isEnabled) "@color/accent" else "@color/skipped")
        canvas.drawRect(paddingLeft.toFloat(), middle - density, x, middle + density, paint)
        canvas.drawCircle(x, middle, 8 * density, paint)
    }
}

open class FrameLayout(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes) {
    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val across = paddingLeft + paddingRight
        val along = paddingTop + paddingBottom
        for (child in seen()) {
            val its = child.layoutParams
            child.measure(
                childSpec(widthMeasureSpec, across + its.left + its.right, its.width),
                childSpec(heightMeasureSpec, along + its.top + its.bottom, its.height),
            )
        }
        val width = seen().maxOfOrNull { it.measuredWidth + it.layoutParams.left + it.layoutParams.right } ?: 0
        val height = seen().maxOfOrNull { it.measuredHeight + it.layoutParams.top + it.layoutParams.bottom } ?: 0
        setMeasuredDimension(resolveSize(width + across, widthMeasureSpec), resolveSize(height + along, heightMeasureSpec))
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        for (child in seen()) {
            val x = paddingLeft + child.layoutParams.left
            val y = paddingTop + child.layoutParams.top
            child.layout(x, y, x + child.measuredWidth, y + child.measuredHeight)
        }
    }
}

class ScrollView(context: Context, attributes: AttributeSet?) : FrameLayout(context, attributes) {
    private val fills = attributes?.get("fillViewport") == "true"

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val child = children.single()
        val width = childSpec(widthMeasureSpec, paddingLeft + paddingRight, child.layoutParams.width)
        child.measure(width, MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED))
        setMeasuredDimension(getDefaultSize(0, widthMeasureSpec), getDefaultSize(child.measuredHeight, heightMeasureSpec))
        val room = measuredHeight - paddingTop - paddingBottom
        if (fills && child.measuredHeight < room) child.measure(width, MeasureSpec.makeMeasureSpec(room, MeasureSpec.EXACTLY))
    }

    /** What does not fit: a picture must be told of it. */
    fun hidden(): Int = children.single().measuredHeight - (height - paddingTop - paddingBottom)
}

class LinearLayout(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes) {
    var orientation = if (attributes?.get("orientation") == "vertical") VERTICAL else HORIZONTAL
    private val gravity = attributes?.get("gravity").orEmpty()
    private val aligns = attributes?.get("baselineAligned") != "false"

    /** The side that children follow one another along, so that the measuring is written once. */
    private inner class Side(val vertical: Boolean) {
        fun of(params: LayoutParams) = if (vertical) params.height else params.width

        fun margins(params: LayoutParams) = if (vertical) params.top + params.bottom else params.left + params.right

        fun measured(view: View) = if (vertical) view.measuredHeight else view.measuredWidth

        val padding: Int get() = if (vertical) paddingTop + paddingBottom else paddingLeft + paddingRight
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val vertical = orientation == VERTICAL
        val along = Side(vertical)
        val across = Side(!vertical)
        val alongSpec = if (vertical) heightMeasureSpec else widthMeasureSpec
        val acrossSpec = if (vertical) widthMeasureSpec else heightMeasureSpec
        val exact = MeasureSpec.getMode(alongSpec) == MeasureSpec.EXACTLY

        fun measure(child: View, itsAlong: Int) {
            val itsAcross = childSpec(acrossSpec, across.padding + across.margins(child.layoutParams), across.of(child.layoutParams))
            if (vertical) child.measure(itsAcross, itsAlong) else child.measure(itsAlong, itsAcross)
        }

        var total = along.padding
        val weights = seen().sumOf { it.layoutParams.weight.toDouble() }.toFloat()
        for (child in seen()) {
            val params = child.layoutParams
            total += along.margins(params)
            if (exact && params.weight > 0 && along.of(params) == 0) continue
            val used = if (weights == 0f) total else along.padding + along.margins(params)
            val side = if (params.weight > 0 && along.of(params) == 0) LayoutParams.WRAP_CONTENT else along.of(params)
            measure(child, childSpec(alongSpec, used, side))
            total += along.measured(child)
        }
        val size = resolveSize(total, alongSpec)
        if (exact && weights > 0) share(size - total, weights, along, ::measure)
        val widest = seen().maxOfOrNull { across.measured(it) + across.margins(it.layoutParams) } ?: 0
        val other = resolveSize(widest + across.padding, acrossSpec)
        if (vertical) setMeasuredDimension(other, size) else setMeasuredDimension(size, other)
    }

    private fun share(room: Int, weights: Float, along: Side, measure: (View, Int) -> Unit) {
        var left = room
        var weightsLeft = weights
        for (child in seen()) {
            val weight = child.layoutParams.weight
            if (weight == 0f) continue
            val its = (left * weight / weightsLeft).toInt()
            left -= its
            weightsLeft -= weight
            val before = if (along.of(child.layoutParams) == 0) 0 else along.measured(child)
            measure(child, MeasureSpec.makeMeasureSpec(maxOf(0, before + its), MeasureSpec.EXACTLY))
        }
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        if (orientation == VERTICAL) stack() else line()
    }

    private fun stack() {
        var y = paddingTop
        for (child in seen()) {
            val params = child.layoutParams
            y += params.top
            val free = width - paddingLeft - paddingRight - child.measuredWidth - params.left - params.right
            val x = paddingLeft + params.left + if ("center_horizontal" in gravity) free / 2 else 0
            child.layout(x, y, x + child.measuredWidth, y + child.measuredHeight)
            y += child.measuredHeight + params.bottom
        }
    }

    private fun line() {
        val total = seen().sumOf { it.measuredWidth + it.layoutParams.left + it.layoutParams.right }
        var x = paddingLeft + if ("end" in gravity.split('|')) width - paddingLeft - paddingRight - total else 0
        val deepest = seen().maxOfOrNull { (it as? TextView)?.measuredBaseline() ?: 0 } ?: 0
        for (child in seen()) {
            x += child.layoutParams.left
            val drop = if (aligns && child is TextView && child !is Button) deepest - child.measuredBaseline() else 0
            val y = paddingTop + child.layoutParams.top + drop
            child.layout(x, y, x + child.measuredWidth, y + child.measuredHeight)
            x += child.measuredWidth + child.layoutParams.right
        }
    }

    companion object {
        const val HORIZONTAL = 0
        const val VERTICAL = 1
    }
}
