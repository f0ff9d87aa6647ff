// Stand-ins for the desktop, see ../README.md: measured, laid out and drawn as Android does it, as far as the app's screen needs.
package android.view

import android.content.Context
import android.content.res.Resources
import android.content.res.android
import android.content.res.elements
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import org.w3c.dom.Element

class MotionEvent(val actionMasked: Int) {
    companion object {
        const val ACTION_DOWN = 0
        const val ACTION_UP = 1
        const val ACTION_CANCEL = 3
    }
}

class LayoutParams(resources: Resources, attributes: AttributeSet?) {
    val width = side(resources, attributes, "layout_width")
    val height = side(resources, attributes, "layout_height")
    val weight = attributes?.get("layout_weight")?.toFloat() ?: 0f
    val left = margin(resources, attributes, "layout_marginStart")
    val top = margin(resources, attributes, "layout_marginTop")
    val right = margin(resources, attributes, "layout_marginEnd")
    val bottom = margin(resources, attributes, "layout_marginBottom")

    companion object {
        const val MATCH_PARENT = -1
        const val WRAP_CONTENT = -2

        private fun side(resources: Resources, attributes: AttributeSet?, name: String): Int = when (val value = attributes?.get(name)) {
            "match_parent", null -> MATCH_PARENT
            "wrap_content" -> WRAP_CONTENT
            else -> resources.size(value).toInt()
        }

        private fun margin(resources: Resources, attributes: AttributeSet?, name: String) =
            attributes?.get(name)?.let { resources.size(it).toInt() } ?: 0
    }
}

/** A colour, or a shape with round corners, as in `res/drawable`. */
class Background(private val resources: Resources, reference: String) {
    private val shape: Element? = reference.takeIf { "drawable/" in it }?.let { shapeIn(resources.xml(it.removePrefix("@"))) }
    private val color = if ("drawable/" in reference) shape?.child("solid")?.let { resources.color(it.android("color")!!) } else resources.color(reference)
    private val radius = shape?.child("corners")?.android("radius")?.let(resources::size) ?: 0f

    fun draw(canvas: Canvas, width: Int, height: Int) {
        val paint = Paint(Paint.ANTI_ALIAS_FLAG).apply { this.color = this@Background.color ?: return }
        val round = minOf(radius, height / 2f)
        canvas.drawRoundRect(0f, 0f, width.toFloat(), height.toFloat(), round, round, paint)
    }

    /** The masks of ripples are seen only under a finger. */
    private fun shapeIn(drawable: Element): Element? = when (drawable.tagName) {
        "shape" -> drawable
        "ripple" -> drawable.elements().firstOrNull { it.android("id") != "@android:id/mask" }?.child("shape")
        else -> error("a drawable <${drawable.tagName}>")
    }

    private fun Element.child(tag: String): Element? = elements().firstOrNull { it.tagName == tag }
}

open class View(val context: Context, attributes: AttributeSet?) {
    val resources: Resources get() = context.resources
    val layoutParams = LayoutParams(resources, attributes)
    val id: Int = attributes?.get("id")?.let { resources.idOf("id/" + it.substringAfter('/')) } ?: 0
    lateinit var parent: ViewGroup

    fun parentOrNull(): ViewGroup? = if (::parent.isInitialized) parent else null

    var visibility = if (attributes?.get("visibility") == "gone") GONE else VISIBLE
    var isEnabled = true
    var contentDescription: CharSequence? = attributes?.get("contentDescription")?.let(resources::text)
    var accessibilityLiveRegion = 0
    var tag: Any? = null
    val isFocusable = attributes?.get("focusable") == "true"
    var paddingLeft = padding(attributes, "paddingStart")
        private set
    var paddingTop = padding(attributes, "paddingTop")
        private set
    var paddingRight = padding(attributes, "paddingEnd")
        private set
    var paddingBottom = padding(attributes, "paddingBottom")
        private set
    protected var minHeightPx = attributes?.get("minHeight")?.let { resources.size(it).toInt() } ?: 0
    protected var minWidthPx = attributes?.get("minWidth")?.let { resources.size(it).toInt() } ?: 0
    var left = 0
        private set
    var top = 0
        private set
    var width = 0
        private set
    var height = 0
        private set
    var measuredWidth = 0
        private set
    var measuredHeight = 0
        private set
    var scrollY = 0
        private set
    val layoutDirection = 0
    val suggestedMinimumWidth: Int get() = minWidthPx
    private var background = attributes?.get("background")?.let { Background(resources, it) }

    private fun padding(attributes: AttributeSet?, name: String) = attributes?.get(name)?.let { resources.size(it).toInt() } ?: 0

    fun setPadding(left: Int, top: Int, right: Int, bottom: Int) {
        paddingLeft = left
        paddingTop = top
        paddingRight = right
        paddingBottom = bottom
    }

    fun setBackgroundResource(id: Int) {
        background = Background(resources, resources.nameOf(id))
    }

    fun setOnClickListener(listener: (View) -> Unit) {
        clicked = listener
    }

    var clicked: ((View) -> Unit)? = null
        private set

    open fun find(id: Int): View? = if (this.id == id) this else null

    fun findViewById(id: Int): View = find(id) ?: error("no view ${resources.nameOf(id)}")

    fun scrollTo(x: Int, y: Int) {
        check(x == 0)
        scrollY = y
    }

    fun invalidate() = Unit

    fun postInvalidateOnAnimation() = Unit

    open fun onTouchEvent(event: MotionEvent): Boolean = event.actionMasked < 0

    fun measure(widthMeasureSpec: Int, heightMeasureSpec: Int) = onMeasure(widthMeasureSpec, heightMeasureSpec)

    protected open fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) =
        setMeasuredDimension(getDefaultSize(minWidthPx, widthMeasureSpec), getDefaultSize(minHeightPx, heightMeasureSpec))

    protected fun setMeasuredDimension(width: Int, height: Int) {
        measuredWidth = width
        measuredHeight = height
    }

    fun layout(left: Int, top: Int, right: Int, bottom: Int) {
        this.left = left
        this.top = top
        width = right - left
        height = bottom - top
        onLayout(true, left, top, right, bottom)
    }

    protected open fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) = Unit

    fun draw(canvas: Canvas) {
        background?.draw(canvas, width, height)
        onDraw(canvas)
        dispatchDraw(canvas)
    }

    protected open fun onDraw(canvas: Canvas) = Unit

    protected open fun dispatchDraw(canvas: Canvas) = Unit

    /** Distance from the top to the line that the letters stand on; -1: none. */
    open val baseline: Int get() = -1

    class MeasureSpec {
        companion object {
            const val UNSPECIFIED = 0
            const val EXACTLY = 1 shl 30
            const val AT_MOST = 2 shl 30

            fun makeMeasureSpec(size: Int, mode: Int): Int = size or mode

            fun getMode(spec: Int): Int = spec and (3 shl 30)

            fun getSize(spec: Int): Int = spec and (3 shl 30).inv()
        }
    }

    companion object {
        const val VISIBLE = 0
        const val GONE = 8
        const val ACCESSIBILITY_LIVE_REGION_NONE = 0
        const val ACCESSIBILITY_LIVE_REGION_POLITE = 1
        const val LAYOUT_DIRECTION_RTL = 1

        fun getDefaultSize(size: Int, spec: Int): Int =
            if (MeasureSpec.getMode(spec) == MeasureSpec.UNSPECIFIED) size else MeasureSpec.getSize(spec)

        fun resolveSize(size: Int, spec: Int): Int = when (MeasureSpec.getMode(spec)) {
            MeasureSpec.EXACTLY -> MeasureSpec.getSize(spec)
            MeasureSpec.AT_MOST -> minOf(size, MeasureSpec.getSize(spec))
            else -> size
        }
    }
}

abstract class ViewGroup(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    val children = mutableListOf<View>()

    fun addView(child: View) {
        child.parent = this
        children += child
    }

    fun removeAllViews() = children.clear()

    fun requestDisallowInterceptTouchEvent(disallow: Boolean) = check(disallow)

    override fun find(id: Int): View? = super.find(id) ?: children.firstNotNullOfOrNull { it.find(id) }

    protected fun seen() = children.filter { it.visibility != GONE }

    override fun dispatchDraw(canvas: Canvas) {
        for (child in seen()) canvas.within(child.left, child.top - scrollY, child.width, child.height, child::draw)
    }

    /** What a child of [side] may take of a parent with [spec] of which [used] is taken. */
    protected fun childSpec(spec: Int, used: Int, side: Int): Int {
        val mode = MeasureSpec.getMode(spec)
        val room = maxOf(0, MeasureSpec.getSize(spec) - used)
        return when {
            side >= 0 -> MeasureSpec.makeMeasureSpec(side, MeasureSpec.EXACTLY)
            mode == MeasureSpec.UNSPECIFIED -> MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED)
            side == LayoutParams.MATCH_PARENT -> MeasureSpec.makeMeasureSpec(room, mode)
            else -> MeasureSpec.makeMeasureSpec(room, MeasureSpec.AT_MOST)
        }
    }
}
