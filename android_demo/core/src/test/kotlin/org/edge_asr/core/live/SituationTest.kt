package org.edge_asr.core.live

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class SituationTest {
    private val idle = Situation(Phase.IDLE)
    private val listening = Situation(Phase.LISTENING)

    private fun Situation.through(vararg events: Event): Situation = events.fold(this) { at, event -> at.after(event).situation }

    @Test
    fun `press, speak, press`() {
        val start = idle.after(Event.Pressed(mayRecord = true))
        assertEquals(Situation(Phase.LISTENING), start.situation)
        assertEquals(Command.START_MICROPHONE, start.command)
        val stop = start.situation.after(Event.Pressed(mayRecord = true))
        assertEquals(Situation(Phase.ENDING), stop.situation)
        assertEquals(Command.STOP_INPUT, stop.command)
        assertEquals(idle, stop.situation.through(Event.Finished))
    }

    @Test
    fun `without the permission it is asked for, and listening follows`() {
        val asking = idle.after(Event.Pressed(mayRecord = false))
        assertEquals(Command.ASK_PERMISSION, asking.command)
        val granted = asking.situation.after(Event.PermissionGranted)
        assertEquals(Phase.LISTENING, granted.situation.phase)
        assertEquals(Command.START_MICROPHONE, granted.command)
    }

    @Test
    fun `a refusal is told, and the button asks again`() {
        val refused = Situation(Phase.ASKING).through(Event.PermissionDenied(forGood = false))
        assertEquals(Situation(Phase.IDLE, Notice.MICROPHONE_REFUSED), refused)
        assertEquals(Command.ASK_PERMISSION, refused.after(Event.Pressed(mayRecord = false)).command)
        val forGood = Situation(Phase.ASKING).through(Event.PermissionDenied(forGood = true))
        assertEquals(Notice.MICROPHONE_REFUSED_FOR_GOOD, forGood.notice)
    }

    @Test
    fun `permission given in the settings clears the notice with the next press`() {
        val refused = Situation(Phase.IDLE, Notice.MICROPHONE_REFUSED_FOR_GOOD)
        assertEquals(Situation(Phase.LISTENING), refused.through(Event.Pressed(mayRecord = true)))
    }

    @Test
    fun `whatever stops listening is told, and still told when the rest is recognized`() {
        val reasons = mapOf(
            Event.Left to Notice.LEFT_SCREEN,
            Event.Interrupted to Notice.INTERRUPTED,
            Event.MicrophoneFailed("busy") to Notice.MICROPHONE_FAILED,
        )
        for ((event, notice) in reasons) {
            val stopped = listening.after(event)
            assertEquals(Command.STOP_INPUT, stopped.command)
            assertEquals(Phase.ENDING, stopped.situation.phase)
            assertEquals(notice, stopped.situation.through(Event.Finished).notice)
            assertEquals(Phase.IDLE, stopped.situation.through(Event.Finished).phase)
        }
        assertEquals("busy", listening.through(Event.MicrophoneFailed("busy"), Event.Finished).detail)
    }

    @Test
    fun `leaving the screen or losing the audio does not stop a file`() {
        val reading = idle.after(Event.FilePicked)
        assertEquals(Command.START_FILE, reading.command)
        assertEquals(Phase.READING, reading.situation.through(Event.Left, Event.Interrupted).phase)
        assertEquals(idle, reading.situation.through(Event.Finished))
    }

    @Test
    fun `a bad file is told with its reason`() {
        val failed = Situation(Phase.READING).through(Event.FileFailed("not a WAV file"), Event.Finished)
        assertEquals(Situation(Phase.IDLE, Notice.FILE_UNREADABLE, "not a WAV file"), failed)
    }

    @Test
    fun `a file that comes before the model is asked for again`() {
        val loading = Situation(Phase.LOADING).after(Event.FilePicked)
        assertNull(loading.command)
        assertEquals(Situation(Phase.IDLE, Notice.NOT_READY), loading.situation.through(Event.ModelLoaded))
    }

    @Test
    fun `without a model nothing starts`() {
        val unusable = Situation(Phase.LOADING).through(Event.ModelRefused("damaged"))
        assertEquals("damaged", unusable.detail)
        assertFalse(unusable.mayPress)
        assertFalse(unusable.mayPickFile)
        for (event in listOf(Event.Pressed(true), Event.FilePicked, Event.PermissionGranted, Event.Left)) {
            assertEquals(unusable, unusable.through(event))
            assertNull(unusable.after(event).command)
        }
    }

    @Test
    fun `a model that was refused is tried again when the screen is seen again`() {
        val again = Situation(Phase.LOADING).through(Event.ModelRefused("no room")).after(Event.Seen)
        assertEquals(Situation(Phase.LOADING), again.situation)
        assertEquals(Command.LOAD_MODEL, again.command)
        for (phase in Phase.values().filter { it != Phase.UNUSABLE }) assertNull(Situation(phase).after(Event.Seen).command)
    }

    @Test
    fun `a failing model ends the input`() {
        val failed = listening.after(Event.RecognitionFailed("no memory"))
        assertEquals(Command.STOP_INPUT, failed.command)
        assertEquals(Situation(Phase.IDLE, Notice.RECOGNITION_FAILED, "no memory"), failed.situation)
    }

    @Test
    fun `events that come too late change nothing`() {
        val ending = Situation(Phase.ENDING, Notice.LEFT_SCREEN)
        for (late in listOf(Event.Left, Event.Interrupted, Event.Pressed(true), Event.MicrophoneFailed("x"), Event.FilePicked)) {
            assertEquals(ending, ending.through(late))
            assertNull(ending.after(late).command)
        }
        for (late in listOf(Event.Finished, Event.PermissionGranted, Event.PermissionDenied(true), Event.FileFailed("x"))) {
            assertEquals(idle, idle.through(late))
        }
    }

    @Test
    fun `a file is picked only while nothing runs`() {
        assertTrue(idle.mayPickFile)
        for (phase in Phase.values().filter { it != Phase.IDLE }) assertFalse(Situation(phase).mayPickFile)
    }
}
