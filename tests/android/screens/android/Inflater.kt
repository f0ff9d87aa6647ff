// A stand-in for the desktop, see ../README.md.
package android.view

import android.content.Context
import android.content.res.elements
import android.util.AttributeSet
import org.w3c.dom.Element

/** Views of a layout file of the app: its own classes by their names, Android's by their short ones. */
class LayoutInflater(private val context: Context) {
    fun inflate(layout: String): View = made(context.resources.xml(layout))

    fun inflate(layout: Int, @Suppress("UNUSED_PARAMETER") parent: ViewGroup, attach: Boolean): View {
        check(!attach)
        return inflate(context.resources.nameOf(layout))
    }

    private fun made(element: Element): View {
        if (element.tagName == "include") return inflate(element.getAttribute("layout"))
        val name = when {
            '.' in element.tagName -> element.tagName
            element.tagName == "View" -> "android.view.View"
            else -> "android.widget.${element.tagName}"
        }
        val constructor = Class.forName(name).getConstructor(Context::class.java, AttributeSet::class.java)
        val view = constructor.newInstance(context, context.resources.attributes(element)) as View
        for (child in element.elements()) (view as ViewGroup).addView(made(child))
        return view
    }

    companion object {
        fun from(context: Context) = LayoutInflater(context)
    }
}
