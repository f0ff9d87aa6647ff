package org.edge_asr.core.benchmark

import java.io.File
import java.io.IOException
import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.program.ProgramException

/** What the app has of its own, for a benchmark that is started by hand. */
interface OwnFiles {
    /** Throws `ProgramException`. */
    fun model(): File

    /** Throws [BenchmarkException] where there is none. */
    fun recording(): File
}

/** How a benchmark ended. */
sealed class Ending {
    class Reported(val report: Report, val folder: File) : Ending()

    /** [message] is one line, also in `error.txt`. */
    class Failed(val message: String) : Ending()
}

/**
 * From an intent's [extras] to the files that answer it. [files] is the app's private folder, [activity] the name that
 * adb starts, for the report. [meters] come in the order of preference.
 */
class Benchmark(
    private val extras: Map<String, Any?>,
    private val files: File,
    private val phone: Phone,
    private val runtime: Runtime,
    private val meters: List<EnergyMeter>,
    private val own: OwnFiles,
    private val activity: String,
    private val pace: Pace = Pace(),
    private val watch: (String) -> Unit = {},
) {
    private val answer = BenchmarkFolder(File(files, BenchmarkPlan.folderOf(extras)))
    private var run: BenchmarkRun? = null
    private var stopped: String? = null

    /** Blocks until the answer is written. Never throws but where the app itself is broken. */
    fun run(): Ending =
        try {
            attempt()
        } catch (error: BenchmarkException) {
            failed(error.message.orEmpty())
        } catch (error: ProgramException) {
            failed(error.message.orEmpty())
        } catch (error: IOException) {
            failed("a file of the app cannot be written or read (${error.message}): make room on the phone")
        } catch (error: RuntimeException) {
            failed("the app failed (${error.javaClass.simpleName}: ${error.message}): `adb logcat` may tell why")
        }

    /** From any thread: the answer is [reason] at once, unless there is one already; [run] ends soon. */
    fun stop(reason: String) {
        try {
            answer.fail(reason)
        } catch (_: IOException) {
            // there is no room to say it: who waits sees that the process has gone
        }
        synchronized(this) {
            stopped = reason
            run?.stop(reason)
        }
    }

    private fun attempt(): Ending {
        synchronized(this) { stopped?.let { throw BenchmarkException(it) } }
        answer.prepare()
        val plan = BenchmarkPlan.of(extras)
        val models = if (plan.run == null) listOf(own.model()) else answer.models
        if (models.isEmpty()) throw BenchmarkException("${plan.folder}/models: there is no .pte file: copy one there")
        val recordings = if (plan.run == null) listOf(Recording(own.recording())) else answer.recordings
        if (recordings.isEmpty()) throw BenchmarkException("${plan.folder}/audio: there is no .wav file: copy one there")
        val made = BenchmarkRun(
            plan, models, RecordedSamples(recordings), phone, runtime, meters, plan.command(activity), pace, ::tell,
        )
        synchronized(this) {
            stopped?.let { throw BenchmarkException(it) }
            run = made
        }
        val outcome = made.run()
        if (!answer.finish(outcome)) throw BenchmarkException(synchronized(this) { stopped }.orEmpty())
        return Ending.Reported(outcome.report, answer.folder)
    }

    private fun failed(message: String): Ending {
        try {
            answer.fail(message)
        } catch (error: IOException) {
            return Ending.Failed("$message (and it cannot be written down: ${error.message})")
        }
        return Ending.Failed(message)
    }

    private fun tell(line: String) {
        answer.progress(line)
        watch(line)
    }
}
