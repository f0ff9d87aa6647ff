package org.edge_asr.core.live

import org.edge_asr.core.measure.LivePower
import org.edge_asr.core.policy.SavingReason
import org.edge_asr.core.strip.GateStrip

/** All that the screen shows, at one moment. */
data class ScreenState(
    val situation: Situation = Situation(Phase.LOADING),
    /** What was heard in the streams before this one, each on a line of its own. */
    val earlierText: String = "",
    val finalText: String = "",
    val partialText: String = "",
    val strip: GateStrip = GateStrip(STRIP_FRAMES),
    val frameS: Double = 0.04,
    val chunkMs: Double = 640.0,
    /** Of this stream so far, 0 to 1. */
    val keptRatio: Double? = null,
    val realTimeFactor: Double? = null,
    /** Of the last step. */
    val latencyMs: Double? = null,
    /** Of the whole phone, from its battery. */
    val power: LivePower = LivePower.NotTold,
    val temperatureC: Double? = null,
    /** As the slider stands. */
    val threshold: Float = 1f,
    /** As the model runs with it: the policy may save more than the slider. */
    val thresholdInForce: Float = 1f,
    /** The file's own; null before it is loaded. */
    val defaultThreshold: Float? = null,
    /** Whether the policy is switched on. */
    val maySave: Boolean = false,
    /** Set where the policy is switched on and sees a reason. */
    val saving: SavingReason? = null,
    /** Seconds of sound that found no room before the recognizer. */
    val lostS: Double = 0.0,
    /** The microphone has given nothing but zeros for a while. */
    val silent: Boolean = false,
) {
    /** Final words of all streams: what is copied and shared is this and [partialText]. */
    val settledText: String get() = joined(earlierText, finalText, "\n")

    val wholeText: String get() = if (finalText.isEmpty()) joined(earlierText, partialText, "\n") else joined(settledText, partialText, " ")

    companion object {
        /** More than the widest screen shows. */
        const val STRIP_FRAMES = 1_500

        private fun joined(first: String, second: String, between: String) =
            if (first.isEmpty() || second.isEmpty()) first + second else first + between + second
    }
}
