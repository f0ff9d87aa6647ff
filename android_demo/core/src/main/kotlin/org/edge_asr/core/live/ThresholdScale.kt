package org.edge_asr.core.live

/** Positions of the threshold slider: hundredths, from 0 on the left, which skips whatever it can, to 1, which never skips. */
object ThresholdScale {
    const val POSITIONS = 100

    fun threshold(position: Int): Float = position.coerceIn(0, POSITIONS) / POSITIONS.toFloat()

    fun position(threshold: Float): Int = Math.round(threshold.coerceIn(0f, 1f) * POSITIONS)
}
