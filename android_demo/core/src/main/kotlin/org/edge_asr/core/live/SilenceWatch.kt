package org.edge_asr.core.live

/**
 * Tells a microphone that is cut off from a quiet room: a phone hands out zeros, and nothing but zeros, while the microphone is
 * switched off in its settings or in use by a call.
 */
class SilenceWatch(private val samples: Int) {
    private var zeros = 0

    /** Whether the last [samples] samples were all zero, those of [pcm] included. */
    fun accept(pcm: ShortArray, count: Int): Boolean {
        for (at in 0 until count) {
            if (pcm[at].toInt() == 0) {
                if (zeros < samples) zeros += 1
            } else {
                zeros = 0
            }
        }
        return zeros >= samples
    }
}
