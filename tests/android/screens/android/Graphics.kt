// Stand-ins for the desktop over AWT, see ../README.md.
package android.graphics

import java.awt.Color as AwtColor
import java.awt.Font
import java.awt.Graphics2D
import java.awt.RenderingHints
import java.awt.font.FontRenderContext
import java.awt.geom.Ellipse2D
import java.awt.geom.Rectangle2D
import java.awt.geom.RoundRectangle2D
import java.io.File

class Paint(flags: Int = 0) {
    enum class Align { LEFT, RIGHT }

    val antiAlias = flags and ANTI_ALIAS_FLAG != 0
    var color: Int = 0xFF000000.toInt()
    var textSize = 12f
    var textAlign = Align.LEFT
    var bold = false

    val font: Font get() = Fonts.of(bold).deriveFont(textSize)

    fun measureText(text: String): Float = font.getStringBounds(text, Fonts.context).width.toFloat()

    companion object {
        const val ANTI_ALIAS_FLAG = 1
    }
}

/** Roboto where `fonts` names a folder with it, else what the machine has; its letters are wider. */
object Fonts {
    private val folder = System.getProperty("fonts")?.let(::File)
    private val regular = load("Roboto-Regular.ttf", Font.PLAIN)
    private val bold = load("Roboto-Bold.ttf", Font.BOLD)
    val context = FontRenderContext(null, true, true)

    fun of(bold: Boolean): Font = if (bold) this.bold else regular

    private fun load(name: String, style: Int): Font =
        folder?.let { Font.createFont(Font.TRUETYPE_FONT, File(it, name)) } ?: Font(Font.SANS_SERIF, style, 1)
}

class Canvas(val to: Graphics2D) {
    init {
        to.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON)
        to.setRenderingHint(RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON)
        to.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON)
        to.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE)
    }

    fun drawRect(left: Float, top: Float, right: Float, bottom: Float, paint: Paint) {
        use(paint).fill(Rectangle2D.Float(left, top, right - left, bottom - top))
    }

    fun drawRoundRect(left: Float, top: Float, right: Float, bottom: Float, rx: Float, ry: Float, paint: Paint) {
        use(paint).fill(RoundRectangle2D.Float(left, top, right - left, bottom - top, 2 * rx, 2 * ry))
    }

    fun drawCircle(x: Float, y: Float, radius: Float, paint: Paint) {
        use(paint).fill(Ellipse2D.Float(x - radius, y - radius, 2 * radius, 2 * radius))
    }

    fun drawText(text: String, x: Float, y: Float, paint: Paint) {
        use(paint).font = paint.font
        to.drawString(text, if (paint.textAlign == Paint.Align.RIGHT) x - paint.measureText(text) else x, y)
    }

    /** Draws what [action] draws, moved, and nothing of it outside the size. */
    fun within(x: Int, y: Int, width: Int, height: Int, action: (Canvas) -> Unit) {
        val inner = to.create() as Graphics2D
        inner.translate(x, y)
        inner.clipRect(0, 0, width, height)
        action(Canvas(inner))
        inner.dispose()
    }

    private fun use(paint: Paint): Graphics2D {
        to.color = AwtColor(paint.color, true)
        return to
    }
}
