package org.edge_asr.demo.live

import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Process
import kotlin.concurrent.thread
import org.edge_asr.core.live.PcmRing
import org.edge_asr.core.live.SilenceWatch
import org.edge_asr.core.stream.SAMPLE_RATE_HZ

/**
 * The microphone, 16 kHz mono, into [ring], by a thread that does nothing else. [watcher] is called by that thread. Ends the ring when
 * it stops.
 */
class Microphone(private val ring: PcmRing, private val watcher: Watcher) {
    interface Watcher {
        /** The microphone has been giving nothing but zeros, or does no longer. */
        fun silent(silent: Boolean)

        fun failed(failure: Failure, code: Int = 0)
    }

    enum class Failure { BUSY, RATE, READ }

    @Volatile
    private var running = true

    fun start() {
        thread(name = "microphone") {
            Process.setThreadPriority(Process.THREAD_PRIORITY_AUDIO)
            try {
                record()
            } finally {
                ring.end()
            }
        }
    }

    /** Returns at once; the ring ends within a block. */
    fun stop() {
        running = false
    }

    private fun record() {
        val recorder = open()
        if (recorder == null) {
            watcher.failed(Failure.RATE)
            return
        }
        try {
            recorder.startRecording()
            if (recorder.recordingState == AudioRecord.RECORDSTATE_RECORDING) read(recorder) else watcher.failed(Failure.BUSY)
            recorder.stop()
        } catch (_: IllegalStateException) { // the system took it away
            watcher.failed(Failure.BUSY)
        } finally {
            recorder.release()
        }
    }

    private fun read(recorder: AudioRecord) {
        val block = ShortArray(BLOCK_SAMPLES)
        val watch = SilenceWatch(SILENT_AFTER_SAMPLES)
        var silent = false
        while (running) {
            val count = recorder.read(block, 0, block.size)
            if (count < 0) {
                watcher.failed(Failure.READ, count)
                return
            }
            ring.put(block, count)
            if (watch.accept(block, count) != silent) {
                silent = !silent
                watcher.silent(silent)
            }
        }
    }

    /** Null where this phone cannot record so. */
    private fun open(): AudioRecord? {
        val leastBytes = AudioRecord.getMinBufferSize(SAMPLE_RATE_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT)
        if (leastBytes <= 0) return null
        val recorder = AudioRecord(
            MediaRecorder.AudioSource.VOICE_RECOGNITION, // no gain control that would pump up the silence
            SAMPLE_RATE_HZ,
            AudioFormat.CHANNEL_IN_MONO,
            AudioFormat.ENCODING_PCM_16BIT,
            maxOf(leastBytes, SYSTEM_BUFFER_BYTES),
        )
        if (recorder.state == AudioRecord.STATE_INITIALIZED) return recorder
        recorder.release()
        return null
    }

    private companion object {
        const val BLOCK_SAMPLES = SAMPLE_RATE_HZ / 50
        const val SYSTEM_BUFFER_BYTES = 2 * SAMPLE_RATE_HZ // a second that the system holds while this thread sleeps
        const val SILENT_AFTER_SAMPLES = 3 * SAMPLE_RATE_HZ
    }
}
