package org.edge_asr.core.live

/** What the screen is doing. */
enum class Phase {
    /** The model is being checked and loaded. */
    LOADING,

    /** There is no model that could run. */
    UNUSABLE,
    IDLE,

    /** The system asks whether the microphone may be used. */
    ASKING,
    LISTENING,

    /** A file is being transcribed. */
    READING,

    /** The input is over, and the rest of it is being recognized. */
    ENDING,
}

/** Something that a person must be told; it stays until the next start. */
enum class Notice {
    MODEL_UNUSABLE,
    MICROPHONE_REFUSED,

    /** The system does not ask again: only its settings help. */
    MICROPHONE_REFUSED_FOR_GOOD,
    MICROPHONE_FAILED,
    LEFT_SCREEN,

    /** A call or another app took the audio. */
    INTERRUPTED,
    FILE_UNREADABLE,
    NOT_READY,
    RECOGNITION_FAILED,
}

/** What happens to the screen, by a person or the system. */
sealed class Event {
    /** The screen is seen again: what the model lacked, room perhaps, may be there now. */
    object Seen : Event()

    object ModelLoaded : Event()

    class ModelRefused(val reason: String) : Event()

    /** The big button; [mayRecord]: the permission is there. */
    class Pressed(val mayRecord: Boolean) : Event()

    object PermissionGranted : Event()

    class PermissionDenied(val forGood: Boolean) : Event()

    class MicrophoneFailed(val reason: String) : Event()

    /** The audio focus went to a call or another app. */
    object Interrupted : Event()

    /** The screen is no longer seen; turning the phone is not that. */
    object Left : Event()

    object FilePicked : Event()

    class FileFailed(val reason: String) : Event()

    /** The stream is at its end, all of it recognized. */
    object Finished : Event()

    class RecognitionFailed(val reason: String) : Event()
}

/** What the controller has to do after an event. */
enum class Command { LOAD_MODEL, ASK_PERMISSION, START_MICROPHONE, START_FILE, STOP_INPUT }

class Move(val situation: Situation, val command: Command? = null)

/** Where the screen stands; [detail] is one line of the notice's own. */
data class Situation(val phase: Phase, val notice: Notice? = null, val detail: String? = null) {
    /** Whether the big button does something. */
    val mayPress: Boolean get() = phase in PRESSABLE

    /** Whether a file may be picked. */
    val mayPickFile: Boolean get() = phase == Phase.IDLE

    val takesInput: Boolean get() = phase == Phase.LISTENING || phase == Phase.READING

    /** What follows [event]. An event that comes too late, or twice, changes nothing. */
    fun after(event: Event): Move = when (event) {
        is Event.Seen -> ifIn(Phase.UNUSABLE) { to(Phase.LOADING, command = Command.LOAD_MODEL) }
        is Event.ModelLoaded -> ifIn(Phase.LOADING) { to(Phase.IDLE, notice) }
        is Event.ModelRefused -> Move(Situation(Phase.UNUSABLE, Notice.MODEL_UNUSABLE, event.reason))
        is Event.Pressed -> pressed(event.mayRecord)
        is Event.PermissionGranted -> ifIn(Phase.ASKING) { to(Phase.LISTENING, command = Command.START_MICROPHONE) }
        is Event.PermissionDenied -> ifIn(Phase.ASKING) { to(Phase.IDLE, refusal(event.forGood)) }
        is Event.MicrophoneFailed -> ifIn(Phase.LISTENING) { stop(Notice.MICROPHONE_FAILED, event.reason) }
        is Event.Interrupted -> ifIn(Phase.LISTENING) { stop(Notice.INTERRUPTED) }
        is Event.Left -> ifIn(Phase.LISTENING) { stop(Notice.LEFT_SCREEN) }
        is Event.FilePicked -> when (phase) {
            Phase.IDLE -> to(Phase.READING, command = Command.START_FILE)
            Phase.LOADING -> Move(copy(notice = Notice.NOT_READY))
            else -> Move(this)
        }
        is Event.FileFailed -> ifIn(Phase.READING) { stop(Notice.FILE_UNREADABLE, event.reason) }
        is Event.Finished -> ifIn(Phase.LISTENING, Phase.READING, Phase.ENDING) { to(Phase.IDLE, notice, detail) }
        is Event.RecognitionFailed -> to(Phase.IDLE, Notice.RECOGNITION_FAILED, event.reason, Command.STOP_INPUT)
    }

    private fun pressed(mayRecord: Boolean): Move = when (phase) {
        Phase.IDLE, Phase.ASKING ->
            if (mayRecord) to(Phase.LISTENING, command = Command.START_MICROPHONE)
            else to(Phase.ASKING, command = Command.ASK_PERMISSION)
        Phase.LISTENING, Phase.READING -> stop(null)
        else -> Move(this)
    }

    private fun stop(notice: Notice?, detail: String? = null) = to(Phase.ENDING, notice, detail, Command.STOP_INPUT)

    private fun to(phase: Phase, notice: Notice? = null, detail: String? = null, command: Command? = null) =
        Move(Situation(phase, notice, detail), command)

    private inline fun ifIn(vararg phases: Phase, move: () -> Move): Move = if (phase in phases) move() else Move(this)

    private fun refusal(forGood: Boolean) =
        if (forGood) Notice.MICROPHONE_REFUSED_FOR_GOOD else Notice.MICROPHONE_REFUSED

    private companion object {
        val PRESSABLE = setOf(Phase.IDLE, Phase.ASKING, Phase.LISTENING, Phase.READING)
    }
}
