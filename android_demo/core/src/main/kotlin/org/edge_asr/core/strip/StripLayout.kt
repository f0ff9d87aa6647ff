package org.edge_asr.core.strip

/** Where the frames of a strip lie, in a width where each takes [pitchPx] and the newest ends at the right edge. */
class StripLayout(private val widthPx: Float, private val pitchPx: Float, private val frameS: Double) {
    /** Frames that fit, the one that is half out on the left included: what a [GateStrip] must remember. */
    val frames: Int get() = (widthPx / pitchPx).toInt() + 2

    /** Calls [draw] with the left edge of each frame that is seen when [shown] frames have come in. */
    inline fun eachFrame(strip: GateStrip, shown: Double, draw: (leftPx: Float, kept: Boolean) -> Unit) {
        var frame = minOf(strip.frames, ceil(shown)) - 1
        while (frame >= strip.first) {
            val left = leftPx(frame, shown)
            if (left < -pitch) break
            draw(left, strip.kept(frame))
            frame--
        }
    }

    /** Calls [draw] for each whole second of the stream that is seen, newest first. */
    inline fun eachSecond(shown: Double, draw: (xPx: Float, second: Long) -> Unit) {
        var second = (shown * frameSeconds).toLong()
        while (second > 0) {
            val x = leftPx(second / frameSeconds, shown)
            if (x < 0) break
            draw(x, second)
            second--
        }
    }

    @PublishedApi
    internal fun leftPx(frame: Number, shown: Double): Float = (widthPx - (shown - frame.toDouble()) * pitchPx).toFloat()

    @PublishedApi
    internal val pitch: Float get() = pitchPx

    @PublishedApi
    internal val frameSeconds: Double get() = frameS

    @PublishedApi
    internal fun ceil(frames: Double): Long = Math.ceil(frames).toLong()
}
