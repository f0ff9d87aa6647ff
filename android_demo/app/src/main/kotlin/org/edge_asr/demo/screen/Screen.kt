package org.edge_asr.demo.screen

import android.content.Context
import android.view.View
import android.widget.Button
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.Switch
import android.widget.TextView
import java.util.Locale
import org.edge_asr.core.live.Figures
import org.edge_asr.core.live.Notice
import org.edge_asr.core.live.Phase
import org.edge_asr.core.live.ScreenState
import org.edge_asr.core.live.ThresholdScale
import org.edge_asr.core.measure.LivePower
import org.edge_asr.core.policy.SavingReason
import org.edge_asr.demo.R

/** The views of `layout/main.xml`, told what to show. It holds no state that matters: another one shows the same. */
class Screen(private val root: View, actions: Actions, private val still: Boolean) {
    /** What a person can do here. */
    interface Actions {
        fun press()

        fun openFile()

        fun clear()

        fun copy()

        fun share()

        fun openSettings()

        fun choose(threshold: Float)

        fun switchSaving(on: Boolean)
    }

    private val context: Context = root.context
    private val figures = Figures(Locale.getDefault())
    private val status: TextView = view(R.id.status)
    private val notice: View = view(R.id.notice)
    private val noticeText: TextView = view(R.id.notice_text)
    private val noticeAction: Button = view(R.id.notice_action)
    private val transcript: TranscriptView = view(R.id.transcript)
    private val openFile: Button = view(R.id.open_file)
    private val clear: Button = view(R.id.clear)
    private val copy: Button = view(R.id.copy)
    private val share: Button = view(R.id.share)
    private val kept: TextView = view(R.id.kept)
    private val strip: GateStripView = view(R.id.strip)
    private val powerCaption: TextView = view(R.id.power_caption)
    private val threshold: ThresholdBar = view(R.id.threshold)
    private val thresholdValue: TextView = view(R.id.threshold_value)
    private val thresholdDefault: TextView = view(R.id.threshold_default)
    private val saving: Switch = view(R.id.saving)
    private val savingState: TextView = view(R.id.saving_state)
    private val savingNow: TextView = view(R.id.saving_now)
    private val start: Button = view(R.id.start)
    private var shownSaving = false // a switch tells of its changes whoever made them

    init {
        start.setOnClickListener { actions.press() }
        openFile.setOnClickListener { actions.openFile() }
        clear.setOnClickListener { actions.clear() }
        copy.setOnClickListener { actions.copy() }
        share.setOnClickListener { actions.share() }
        noticeAction.setOnClickListener { actions.openSettings() }
        saving.setOnCheckedChangeListener { _, on -> if (on != shownSaving) actions.switchSaving(on) }
        threshold.setOnSeekBarChangeListener(Chosen(actions))
        if (context.resources.configuration.fontScale > LARGE_FONT) stackRows()
    }

    fun show(state: ScreenState) {
        showStatus(state)
        showNotice(state)
        showText(state)
        showGate(state)
        showFigures(state)
        showThreshold(state)
        showSaving(state)
        showButton(state)
    }

    private fun showStatus(state: ScreenState) = status.tell(
        text(
            when (state.situation.phase) {
                Phase.LOADING -> R.string.status_loading
                Phase.UNUSABLE -> R.string.status_unusable
                Phase.IDLE -> R.string.status_idle
                Phase.ASKING -> R.string.status_asking
                Phase.LISTENING -> R.string.status_listening
                Phase.READING -> R.string.status_reading
                Phase.ENDING -> R.string.status_ending
            },
        ),
    )

    private fun showNotice(state: ScreenState) {
        val told = noticeOf(state)
        notice.visibility = visible(told != null)
        noticeText.tell(told.orEmpty())
        noticeAction.visibility = visible(state.situation.notice == Notice.MICROPHONE_REFUSED_FOR_GOOD)
    }

    private fun noticeOf(state: ScreenState): String? {
        val detail = state.situation.detail.orEmpty()
        return when (state.situation.notice) {
            Notice.MODEL_UNUSABLE -> "${text(R.string.notice_model, detail)} ${text(R.string.notice_model_help)}"
            Notice.MICROPHONE_REFUSED -> text(R.string.notice_microphone_refused)
            Notice.MICROPHONE_REFUSED_FOR_GOOD -> text(R.string.notice_microphone_settings)
            Notice.MICROPHONE_FAILED -> text(R.string.notice_microphone_failed, detail)
            Notice.LEFT_SCREEN -> text(R.string.notice_left)
            Notice.INTERRUPTED -> text(R.string.notice_interrupted)
            Notice.FILE_UNREADABLE -> text(R.string.notice_file, detail)
            Notice.NOT_READY -> text(R.string.notice_not_ready)
            Notice.RECOGNITION_FAILED -> text(R.string.notice_recognition, detail)
            null -> when {
                state.silent -> text(R.string.notice_silence)
                state.lostS > 0 -> text(R.string.notice_lost, figures.seconds(state.lostS))
                else -> null
            }
        }
    }

    private fun showText(state: ScreenState) {
        val whole = state.wholeText
        transcript.show(state.settledText, whole)
        // the voice of a screen reader would be heard and written down again, so new words are read out only once listening is over
        val reads = state.situation.phase != Phase.LISTENING
        transcript.accessibilityLiveRegion = if (reads) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
        transcript.hint = when {
            state.situation.takesInput -> text(R.string.transcript_hint_listening)
            state.situation.mayPress -> text(R.string.transcript_hint)
            else -> ""
        }
        openFile.isEnabled = state.situation.mayPickFile
        for (button in listOf(copy, share)) button.isEnabled = whole.isNotEmpty()
        clear.isEnabled = whole.isNotEmpty() && state.situation.mayPickFile
    }

    private fun showGate(state: ScreenState) {
        strip.show(state.strip, state.frameS, state.chunkMs, still)
        kept.tell(state.keptRatio?.let { text(R.string.percent, figures.percent(it)) } ?: Figures.NOTHING)
        val inSight = state.strip.keptRatio(strip.framesInSight())
        strip.contentDescription =
            if (inSight == null) text(R.string.strip_description_empty) else text(R.string.strip_description, figures.percent(inSight))
    }

    private fun showFigures(state: ScreenState) {
        showFigure(R.id.figure_rtf, R.id.rtf, R.string.figure_rtf_spoken, figures.realTimeFactor(state.realTimeFactor))
        showFigure(R.id.figure_latency, R.id.latency, R.string.figure_latency_spoken, figures.latencyMs(state.latencyMs))
        showFigure(R.id.figure_power, R.id.power, R.string.figure_power_spoken, figures.powerMw((state.power as? LivePower.Measured)?.mw))
        powerCaption.tell(text(if (state.power == LivePower.Charging) R.string.figure_power_charging else R.string.figure_power))
        showFigure(R.id.figure_temperature, R.id.temperature, R.string.figure_temperature_spoken, figures.temperatureC(state.temperatureC))
    }

    private fun showFigure(cellId: Int, id: Int, spoken: Int, figure: String) {
        view<TextView>(id).tell(figure)
        val said = if (figure == Figures.NOTHING) text(R.string.figure_unknown) else figure
        view<View>(cellId).contentDescription = text(R.string.figure_description, text(spoken), said)
    }

    private fun showThreshold(state: ScreenState) {
        val position = ThresholdScale.position(state.threshold)
        if (threshold.progress != position) threshold.progress = position
        threshold.isEnabled = state.defaultThreshold != null
        threshold.defaultPosition = state.defaultThreshold?.let(ThresholdScale::position)
        showThresholdValue(state)
        thresholdDefault.tell(state.defaultThreshold?.let { text(R.string.threshold_default, figures.threshold(it)) }.orEmpty())
    }

    private fun showThresholdValue(state: ScreenState) {
        val users = figures.threshold(state.threshold)
        val overruled = state.thresholdInForce != state.threshold
        thresholdValue.setTextColor(context.getColor(if (overruled) R.color.saving else R.color.text))
        thresholdValue.tell(
            when {
                state.defaultThreshold == null -> Figures.NOTHING
                overruled -> text(R.string.threshold_overruled, users, figures.threshold(state.thresholdInForce))
                else -> users
            },
        )
    }

    private fun showSaving(state: ScreenState) {
        shownSaving = state.maySave
        saving.isChecked = state.maySave
        val reason = state.saving
        val overruled = state.thresholdInForce != state.threshold
        savingState.tell(
            text(
                when {
                    !state.maySave -> R.string.saving_off
                    reason == null -> R.string.saving_idle
                    overruled -> R.string.saving_in_force
                    else -> R.string.saving_already
                },
            ),
        )
        val told = reason?.takeIf { overruled }?.let { text(savingText(it)) }
        savingNow.visibility = visible(told != null)
        savingNow.tell(told.orEmpty())
    }

    private fun savingText(reason: SavingReason): Int = when (reason) {
        SavingReason.LOW_BATTERY -> R.string.saving_battery
        SavingReason.HEAT -> R.string.saving_heat
        SavingReason.LOW_BATTERY_AND_HEAT -> R.string.saving_both
    }

    private fun showButton(state: ScreenState) {
        val situation = state.situation
        val (label, background, colour) = when {
            situation.takesInput -> Triple(
                if (situation.phase == Phase.LISTENING) R.string.stop else R.string.stop_reading,
                R.drawable.button_stop,
                R.color.on_stop,
            )
            situation.mayPress -> Triple(R.string.start, R.drawable.button_start, R.color.on_accent)
            else -> Triple(
                if (situation.phase == Phase.UNUSABLE) R.string.cannot_start else R.string.wait,
                R.drawable.button_off,
                R.color.text_muted,
            )
        }
        start.isEnabled = situation.mayPress
        if (start.tag != background) { // the ripple of the finger that is still on it would be cut off
            start.tag = background
            start.setBackgroundResource(background)
            start.setTextColor(context.getColor(colour))
        }
        start.tell(text(label))
    }

    /** Letters so large that what stands side by side would not fit. */
    private fun stackRows() {
        for (id in intArrayOf(R.id.figures, R.id.legend, R.id.actions)) {
            view<LinearLayout>(id).orientation = LinearLayout.VERTICAL
        }
    }

    private fun <V : View> view(id: Int): V {
        val found: View = root.findViewById(id)
        @Suppress("UNCHECKED_CAST")
        return found as V
    }

    private fun text(id: Int, vararg values: Any): String = context.getString(id, *values)

    private fun visible(visible: Boolean) = if (visible) View.VISIBLE else View.GONE

    /** Only what is new: a screen reader speaks of every change. */
    private fun TextView.tell(text: String) {
        if (this.text.toString() != text) this.text = text
    }

    private class Chosen(private val actions: Actions) : SeekBar.OnSeekBarChangeListener {
        override fun onProgressChanged(bar: SeekBar?, position: Int, byPerson: Boolean) {
            if (byPerson) actions.choose(ThresholdScale.threshold(position))
        }

        override fun onStartTrackingTouch(bar: SeekBar?) = Unit

        override fun onStopTrackingTouch(bar: SeekBar?) = Unit
    }

    private companion object {
        const val LARGE_FONT = 1.3f
    }
}
