// A stand-in for the desktop, see ../README.md.
package android.content

import android.content.res.Resources

open class Context(val resources: Resources) {
    fun getColor(id: Int): Int = resources.getColor(id)

    fun getString(id: Int, vararg values: Any): String = resources.getString(id, *values)
}
