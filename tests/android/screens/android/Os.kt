// A stand-in for the desktop, see ../README.md.
package android.os

/** Stands where the picture is taken. */
object SystemClock {
    @JvmStatic
    var nowMs = 0L

    @JvmStatic
    fun uptimeMillis(): Long = nowMs
}
