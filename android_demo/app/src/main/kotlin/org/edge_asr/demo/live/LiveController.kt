package org.edge_asr.demo.live

import android.content.Context
import android.net.Uri
import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors
import org.edge_asr.core.live.Command
import org.edge_asr.core.live.Event
import org.edge_asr.core.live.PcmRing
import org.edge_asr.core.live.ScreenState
import org.edge_asr.core.policy.SavingPolicy
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.SAMPLE_RATE_HZ
import org.edge_asr.core.stream.Update
import org.edge_asr.demo.R

/**
 * All that goes on behind the screen: model, microphone, files, policy. One for the process, so that turning the phone, which makes a new
 * screen, touches nothing. Every method is called on the main thread, and so is the watcher.
 *
 * Three threads: one reads the microphone into a ring, one recognizes what is in it, and the main one shows.
 */
class LiveController(context: Context) {
    private val context = context.applicationContext
    private val main = Handler(Looper.getMainLooper())
    private val choices = Choices(this.context)
    private val focus = AudioFocus(this.context) { happened(Event.Interrupted) }
    private val phone = PhoneWatch(this.context) { reading -> phoneTold(reading) }
    private val transcriber = Transcriber(this.context)
    private val recognizer = Executors.newSingleThreadExecutor { Thread(it, "recognizer") }
    private var microphone: Microphone? = null
    private var watcher: ((ScreenState) -> Unit)? = null
    private var shows = false // soon
    private val show = Runnable {
        shows = false
        watcher?.invoke(state)
    }
    private var saving = SavingPolicy()

    var state = ScreenState(maySave = choices.maySave)
        private set

    init {
        loadModel()
    }

    /** [watcher] gets the state now, and whenever it changes; the phone's figures are read as long as somebody watches. */
    fun watch(watcher: (ScreenState) -> Unit) {
        this.watcher = watcher
        phone.start()
        happened(Event.Seen)
        watcher(state)
    }

    fun unwatch() {
        watcher = null
        phone.stop()
    }

    fun happened(event: Event) {
        val move = state.situation.after(event)
        change(state.copy(situation = move.situation))
        when (move.command) {
            Command.LOAD_MODEL -> loadModel()
            Command.START_MICROPHONE -> startMicrophone()
            Command.STOP_INPUT -> stopInput()
            Command.ASK_PERMISSION, Command.START_FILE, null -> {} // the screen asks; `openFile` starts
        }
    }

    fun openFile(uri: Uri) {
        val reads = state.situation.after(Event.FilePicked).command == Command.START_FILE
        happened(Event.FilePicked)
        if (!reads) return
        begin()
        transcriber.allow()
        recognizer.execute { run { transcriber.file(uri, ::postUpdate) { reason -> post(Event.FileFailed(reason)) } } }
    }

    /** Takes effect with the next step, while somebody speaks. */
    fun choose(threshold: Float) {
        choices.threshold = threshold
        applyThreshold(state.copy(threshold = threshold))
    }

    fun switchSaving(on: Boolean) {
        choices.maySave = on
        applyThreshold(state.copy(maySave = on))
    }

    fun clear() = change(state.copy(earlierText = "", finalText = "", partialText = ""))

    private fun loadModel() {
        recognizer.execute {
            try {
                val metadata = transcriber.load()
                main.post { loaded(metadata.defaultThreshold, metadata.frameS, metadata.chunkMs) }
            } catch (error: ProgramException) {
                main.post { happened(Event.ModelRefused(error.message.orEmpty())) }
            }
        }
    }

    private fun loaded(defaultThreshold: Float, frameS: Double, chunkMs: Double) {
        val threshold = choices.threshold ?: defaultThreshold
        applyThreshold(state.copy(defaultThreshold = defaultThreshold, threshold = threshold, frameS = frameS, chunkMs = chunkMs))
        happened(Event.ModelLoaded)
    }

    private fun startMicrophone() {
        if (!focus.request()) {
            happened(Event.Interrupted)
            post(Event.Finished)
            return
        }
        begin()
        val ring = PcmRing(RING_SAMPLES)
        val started = Microphone(ring, MicrophoneWatcher())
        microphone = started
        started.start()
        recognizer.execute { run { transcriber.microphone(ring, ::postUpdate) } }
    }

    private fun begin() {
        val fresh = ScreenState()
        change(
            state.copy(
                earlierText = state.wholeText,
                finalText = "",
                partialText = "",
                strip = fresh.strip,
                keptRatio = null,
                realTimeFactor = null,
                latencyMs = null,
                lostS = 0.0,
                silent = false,
            ),
        )
    }

    private fun stopInput() {
        microphone?.stop()
        microphone = null
        transcriber.stop()
        focus.abandon()
        change(state.copy(silent = false))
    }

    /** On the recognizing thread. */
    private fun run(stream: () -> Unit) {
        try {
            stream()
            post(Event.Finished)
        } catch (error: ProgramException) {
            post(Event.RecognitionFailed(error.message.orEmpty()))
        }
    }

    private fun post(event: Event) {
        main.post { happened(event) }
    }

    private fun postUpdate(update: Update, lostSamples: Long) {
        main.post { change(state.after(update, lostSamples)) }
    }

    private fun phoneTold(reading: PhoneReading) {
        saving = saving.seeing(reading.state)
        applyThreshold(state.copy(power = reading.power, temperatureC = reading.temperatureC))
    }

    private fun applyThreshold(next: ScreenState) {
        val default = next.defaultThreshold
        if (default == null) {
            change(next)
            return
        }
        val decision = saving.decide(next.maySave, next.threshold, default)
        transcriber.threshold = decision.threshold
        change(next.copy(thresholdInForce = decision.threshold, saving = decision.reason))
    }

    private fun change(next: ScreenState) {
        if (next == state) return
        state = next
        if (shows) return
        shows = true
        main.postDelayed(show, SHOW_AFTER_MS)
    }

    private inner class MicrophoneWatcher : Microphone.Watcher {
        override fun silent(silent: Boolean) {
            main.post { if (state.situation.takesInput) change(state.copy(silent = silent)) }
        }

        override fun failed(failure: Microphone.Failure, code: Int) = post(Event.MicrophoneFailed(reason(failure, code)))

        private fun reason(failure: Microphone.Failure, code: Int): String = when (failure) {
            Microphone.Failure.BUSY -> context.getString(R.string.reason_microphone_busy)
            Microphone.Failure.RATE -> context.getString(R.string.reason_microphone_rate)
            Microphone.Failure.READ -> context.getString(R.string.reason_microphone_read, code)
        }
    }

    private companion object {
        const val SHOW_AFTER_MS = 30L // a file brings hundreds of updates a second
        const val RING_SAMPLES = 10 * SAMPLE_RATE_HZ
    }
}

private fun ScreenState.after(update: Update, lostSamples: Long): ScreenState {
    val counters = update.counters
    val steps = update.newSteps
    return copy(
        finalText = update.final,
        partialText = update.partial,
        strip = steps.fold(strip) { strip, step -> strip + step.keep },
        keptRatio = if (counters.frames > 0) counters.keptFrames.toDouble() / counters.frames else null,
        realTimeFactor = if (counters.audioS > 0) counters.computeS / counters.audioS else null,
        latencyMs = steps.lastOrNull()?.latencyMs ?: latencyMs,
        lostS = lostSamples.toDouble() / SAMPLE_RATE_HZ,
    )
}
