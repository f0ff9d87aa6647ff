// A stand-in for the desktop, see ../README.md.
package android.text.style

class ForegroundColorSpan(val color: Int)
