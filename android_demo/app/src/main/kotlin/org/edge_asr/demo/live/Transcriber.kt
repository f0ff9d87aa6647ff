package org.edge_asr.demo.live

import android.content.Context
import android.net.Uri
import java.io.IOException
import org.edge_asr.core.audio.AudioException
import org.edge_asr.core.audio.PickedAudio
import org.edge_asr.core.live.PcmRing
import org.edge_asr.core.program.Metadata
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.SAMPLE_RATE_HZ
import org.edge_asr.core.stream.Stream
import org.edge_asr.core.stream.Update
import org.edge_asr.demo.R
import org.edge_asr.demo.program.ExecutorchProgram
import org.edge_asr.demo.program.ShippedModel

/** Told after each block: what is known, and how many samples were lost before the recognizer. */
typealias Told = (Update, Long) -> Unit

/**
 * The shipped model on the recognizing thread. Only [threshold], [allow] and [stop] are for other threads. Where a stream ends with a
 * [ProgramException], the next may still work.
 */
class Transcriber(private val context: Context) {
    private lateinit var stream: Stream

    @Volatile
    private var stopped = false

    @Volatile
    private var loaded: Stream? = null

    /** Holds from the next step on. */
    @Volatile
    var threshold: Float = 1f
        set(value) {
            field = value
            loaded?.threshold = value
        }

    /** Throws [ProgramException]. */
    fun load(): Metadata {
        val program = ExecutorchProgram.open(ShippedModel.file(context))
        stream = Stream(program)
        loaded = stream
        return program.metadata
    }

    /** Lets the next file be read. */
    fun allow() {
        stopped = false
    }

    /** Ends a file where it is. The microphone ends by its ring. */
    fun stop() {
        stopped = true
    }

    /** Recognizes what comes out of [ring] until it ends. Throws [ProgramException]. */
    fun microphone(ring: PcmRing, told: Told) {
        val block = ShortArray(BLOCK_SAMPLES)
        stream.restart()
        while (true) {
            val count = ring.take(block)
            if (count == PcmRing.END) break
            val update = stream.accept(block, count)
            if (update.newSteps.isNotEmpty()) told(update, ring.lostSamples)
        }
        told(stream.finish(), ring.lostSamples)
    }

    /** Recognizes a WAV file; where it cannot be read to its end, [failed] gets the reason, and what was heard until then stands. */
    fun file(uri: Uri, told: Told, failed: (String) -> Unit) {
        stream.restart()
        try {
            val input = context.contentResolver.openInputStream(uri) ?: throw IOException(uri.lastPathSegment)
            input.buffered().use { opened ->
                val audio = PickedAudio(opened)
                while (!stopped) told(stream.accept(audio.read() ?: break), 0)
                if (audio.cutShort) failed(context.getString(R.string.reason_cut_short))
            }
        } catch (error: AudioException) {
            failed(error.message.orEmpty())
        } catch (error: IOException) {
            failed(error.message.orEmpty())
        } catch (error: SecurityException) { // the permission for the picked file is gone
            failed(error.message.orEmpty())
        } catch (error: IllegalArgumentException) { // samples that no sound has
            failed(error.message.orEmpty())
        }
        told(stream.finish(), 0)
    }

    private companion object {
        const val BLOCK_SAMPLES = SAMPLE_RATE_HZ / 10
    }
}
