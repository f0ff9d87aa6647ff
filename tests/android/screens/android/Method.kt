// A stand-in for the desktop, see ../README.md.
package android.text.method

class ScrollingMovementMethod
