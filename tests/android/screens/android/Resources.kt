// A stand-in for the desktop, see ../README.md.
package android.content.res

import android.util.AttributeSet
import android.util.DisplayMetrics
import java.io.File
import java.util.Locale
import javax.xml.parsers.DocumentBuilderFactory
import org.w3c.dom.Element

class Configuration(val fontScale: Float)

/**
 * The app's own `res` folder, read as it lies in the sources. [qualifiers] are those that hold, the strongest first; ids are those of the
 * generated `R`.
 */
class Resources(private val folder: File, rClass: String, private val qualifiers: List<String>, val displayMetrics: DisplayMetrics) {
    val configuration = Configuration(displayMetrics.scaledDensity / displayMetrics.density)
    private val values = mutableMapOf<String, String>() // "color/text" to "#..."
    private val styles = mutableMapOf<String, Style>()
    private val names = mutableMapOf<Int, String>() // of R, as "color/text"

    private class Style(val parent: String?, val items: Map<String, String>)

    init {
        for (inner in Class.forName(rClass).declaredClasses) {
            for (field in inner.fields) names[field.getInt(null)] = "${inner.simpleName}/${field.name}"
        }
        for (name in listOf("values") + qualifiers.reversed().map { "values-$it" }) readValues(File(folder, name))
    }

    fun idOf(name: String): Int = names.entries.first { it.value == name }.key

    fun nameOf(id: Int): String = names.getValue(id)

    fun getColor(id: Int): Int = color(nameOf(id))

    fun getString(id: Int, vararg values: Any): String {
        val text = unescaped(this.values.getValue(nameOf(id)))
        return if (values.isEmpty()) text else String.format(Locale.getDefault(), text, *values)
    }

    /** A string or a reference to one. */
    fun text(value: String): String = if (value.startsWith("@string/")) unescaped(values.getValue(value.drop(1))) else value

    /** `#RRGGBB`, `#AARRGGBB`, `@color/...` or `color/...`; of a list the state that is asked for. */
    fun color(value: String, enabled: Boolean = true): Int {
        val name = value.removePrefix("@")
        return when {
            value.startsWith("#") -> parsed(value)
            name == "android:color/transparent" -> 0
            name == "android:color/white" -> 0xFFFFFFFF.toInt()
            name == "android:color/black" -> 0xFF000000.toInt()
            name in values -> color(values.getValue(name), enabled)
            else -> listed(xml(name), enabled)
        }
    }

    private fun listed(list: Element, enabled: Boolean): Int {
        for (item in list.elements()) {
            val asks = item.android("state_enabled")
            if (asks != null && asks.toBoolean() != enabled) continue
            val color = color(item.android("color")!!)
            val alpha = item.android("alpha")?.toFloat() ?: 1f
            return (color and 0xFFFFFF) or ((alpha * (color ushr 24)).toInt() shl 24)
        }
        error("no state of $list")
    }

    /** Pixels of `8dp`, `15sp`. */
    fun size(value: String): Float {
        val number = value.takeWhile { it.isDigit() || it == '.' || it == '-' }.toFloat()
        return when (val unit = value.dropWhile { it.isDigit() || it == '.' || it == '-' }) {
            "dp" -> number * displayMetrics.density
            "sp" -> number * displayMetrics.scaledDensity
            else -> error("a size in '$unit'")
        }
    }

    /** Attributes of an element: its own, then its style's. */
    fun attributes(element: Element): AttributeSet {
        val own = mutableMapOf<String, String>()
        for (at in 0 until element.attributes.length) {
            val attribute = element.attributes.item(at)
            if (attribute.nodeName.startsWith("android:")) own[attribute.nodeName.removePrefix("android:")] = attribute.nodeValue
        }
        val style = element.getAttribute("style").takeIf { it.isNotEmpty() }?.let(::styleItems).orEmpty()
        return AttributeSet(style + own)
    }

    private fun styleItems(reference: String): Map<String, String> {
        val name = reference.removePrefix("@style/")
        val style = styles.getValue(name)
        val parent = style.parent ?: name.substringBeforeLast('.', "").takeIf { it.isNotEmpty() }
        return parent?.let(::styleItems).orEmpty() + style.items
    }

    /** `layout/main` or `drawable/panel`, of the strongest qualifier that has it. */
    fun xml(name: String): Element {
        val (type, file) = name.removePrefix("@").split('/')
        val places = qualifiers.map { "$type-$it" } + type
        val found = places.map { File(folder, "$it/$file.xml") }.firstOrNull(File::isFile) ?: error("no resource $name")
        return parse(found)
    }

    private fun readValues(place: File) {
        for (file in place.listFiles().orEmpty()) {
            for (entry in parse(file).elements()) {
                val name = entry.getAttribute("name")
                if (entry.tagName == "style") {
                    val items = entry.elements().associate { it.getAttribute("name").removePrefix("android:") to it.textContent }
                    styles[name] = Style(entry.getAttribute("parent").takeIf { it.isNotEmpty() }, items)
                } else {
                    values["${entry.tagName}/$name"] = entry.textContent
                }
            }
        }
    }

    private fun unescaped(text: String) = text.replace("\\'", "'").replace("\\n", "\n").trim()

    private fun parsed(value: String): Int {
        val digits = value.drop(1).let { if (it.length == 6) "FF$it" else it }
        return digits.toLong(16).toInt()
    }

    private fun parse(file: File): Element = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file).documentElement
}

fun Element.elements(): List<Element> = (0 until childNodes.length).map { childNodes.item(it) }.filterIsInstance<Element>()

fun Element.android(name: String): String? = getAttribute("android:$name").takeIf { it.isNotEmpty() }
