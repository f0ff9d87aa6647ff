package org.edge_asr.demo.live

import android.content.Context
import android.media.AudioManager

/**
 * Asks the other apps to be quiet while this one listens; [lost] is called, on the main thread, when one of them, or a call, takes the
 * sound away. `AudioFocusRequest`, of API 26, is the same request in another form: what is used here is all that the API 23 classes have,
 * with which every line is compiled in the tests.
 */
@Suppress("DEPRECATION")
class AudioFocus(context: Context, private val lost: () -> Unit) {
    private val audio = context.getSystemService(Context.AUDIO_SERVICE) as AudioManager
    private val listener = AudioManager.OnAudioFocusChangeListener { change ->
        if (change == AudioManager.AUDIOFOCUS_LOSS || change == AudioManager.AUDIOFOCUS_LOSS_TRANSIENT) lost()
    }

    /** False where a call, or another app that does not share, has the sound. */
    fun request(): Boolean {
        val answer = audio.requestAudioFocus(listener, AudioManager.STREAM_MUSIC, AudioManager.AUDIOFOCUS_GAIN_TRANSIENT_EXCLUSIVE)
        return answer == AudioManager.AUDIOFOCUS_REQUEST_GRANTED
    }

    fun abandon() {
        audio.abandonAudioFocus(listener)
    }
}
