package org.edge_asr.demo.screen

import android.os.Build
import android.view.View
import android.view.WindowInsets

/**
 * Keeps what [view] holds out from under the system's bars and the camera: from API 35 on, an app draws behind them, whether it wants to or not.
 */
@Suppress("DEPRECATION") // systemWindowInset: the bars and the keyboard, on every version
fun keepClearOfSystem(view: View) {
    view.setOnApplyWindowInsetsListener { it, insets ->
        val cutout = CutoutInsets.of(insets)
        it.setPadding(
            maxOf(insets.systemWindowInsetLeft, cutout.left),
            maxOf(insets.systemWindowInsetTop, cutout.top),
            maxOf(insets.systemWindowInsetRight, cutout.right),
            maxOf(insets.systemWindowInsetBottom, cutout.bottom),
        )
        insets
    }
}

/** Pixels that the camera takes from each side. */
private class CutoutInsets(val left: Int, val top: Int, val right: Int, val bottom: Int) {
    companion object {
        private val NONE = CutoutInsets(0, 0, 0, 0)
        private const val CUTOUT_API = 28

        /** By reflection, since the classes with which the tests compile every line are older. */
        fun of(insets: WindowInsets): CutoutInsets {
            if (Build.VERSION.SDK_INT < CUTOUT_API) return NONE
            return try {
                val cutout = WindowInsets::class.java.getMethod("getDisplayCutout").invoke(insets) ?: return NONE
                fun inset(side: String) = cutout.javaClass.getMethod("getSafeInset$side").invoke(cutout) as Int
                CutoutInsets(inset("Left"), inset("Top"), inset("Right"), inset("Bottom"))
            } catch (_: ReflectiveOperationException) {
                NONE
            }
        }
    }
}
