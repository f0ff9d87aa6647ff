package org.edge_asr.core.strip

/**
 * How far the strip has scrolled. A step brings the frames of [chunkMs] at once; the strip lets them in over that time, so
 * that it runs like the clock and not in jerks.
 */
class StripScroll(private val chunkMs: Double) {
    private var from = 0.0
    private var target = 0.0
    private var startedMs = 0L

    /** [frames] since the start of the stream are known at [nowMs]; fewer than before are another stream. */
    fun arrived(frames: Long, nowMs: Long) {
        if (frames.toDouble() == target) return
        from = if (frames < target) 0.0 else shown(nowMs)
        target = frames.toDouble()
        startedMs = nowMs
    }

    /** Frames that are past the right edge at [nowMs], with fractions. */
    fun shown(nowMs: Long): Double {
        val part = ((nowMs - startedMs) / chunkMs).coerceIn(0.0, 1.0)
        return from + part * (target - from)
    }

    fun moving(nowMs: Long): Boolean = shown(nowMs) < target
}
