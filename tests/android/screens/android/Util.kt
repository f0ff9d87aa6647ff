// A stand-in for the desktop, see ../README.md.
package android.util

class DisplayMetrics(
    @JvmField val density: Float,
    @JvmField val scaledDensity: Float,
)

class AttributeSet(private val values: Map<String, String>) {
    operator fun get(name: String): String? = values[name].takeIf { it != "@null" }
}
