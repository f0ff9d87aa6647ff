package org.edge_asr.jni

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.edge_asr.core.audio.PickedAudio
import org.edge_asr.core.program.Metadata
import org.edge_asr.core.program.ModelFile
import org.edge_asr.core.program.ProgramException
import org.edge_asr.core.stream.Stream
import org.edge_asr.core.stream.Update
import org.edge_asr.core.stream.Word
import org.edge_asr.demo.program.ExecutorchProgram
import org.json.JSONArray
import org.json.JSONObject
import org.pytorch.executorch.Module

/**
 * The app's streaming engine and its adapter to ExecuTorch, for tests/android/test_engine_parity.py, in three ways:
 *
 * `recognize MODEL JOBS OUT`: each line of JOBS is a stream: `pcm`, a file of samples; `int16`, whether they are that or
 * float32; `threshold`, null for the file's; `cuts`, samples of each call; `switches`, [steps, threshold] pairs. OUT gets
 * the metadata, then a line of updates for each job, and how many modules were loaded. Every other job restarts the
 * stream of the one before.
 *
 * `check FILE...`: prints whether each is a model file that is taken, or why not.
 *
 * `read WAV OUT`: the samples at 16 kHz as float32.
 */
object Engine {
    @JvmStatic
    fun main(arguments: Array<String>) {
        when (arguments[0]) {
            "recognize" -> recognize(File(arguments[1]), File(arguments[2]), File(arguments[3]))
            "check" -> arguments.drop(1).forEach(::check)
            "read" -> read(File(arguments[1]), File(arguments[2]))
            else -> throw IllegalArgumentException(arguments[0])
        }
    }

    private fun recognize(model: File, jobs: File, out: File) {
        ExecutorchProgram.open(model).use { program ->
            out.printWriter().use { lines ->
                lines.println(described(program.metadata))
                var before: Stream? = null
                for (line in jobs.readLines()) {
                    val job = JSONObject(line)
                    val threshold = if (job.isNull("threshold")) program.metadata.defaultThreshold else job.getDouble("threshold").toFloat()
                    val stream = before?.also { it.restart() } ?: Stream(program)
                    stream.threshold = threshold
                    lines.println(heard(stream, job))
                    before = if (before == null) stream else null
                }
                lines.println(JSONObject().put("modules", Module.loaded))
            }
        }
    }

    private fun heard(stream: Stream, job: JSONObject): JSONArray {
        val samples = samples(job)
        val cuts = job.getJSONArray("cuts")
        val switches = job.getJSONArray("switches")
        val updates = JSONArray()
        var next = 0
        var from = 0
        for (at in 0 until cuts.length()) {
            val count = cuts.getInt(at)
            val update = samples.feed(stream, from, count)
            updates.put(described(update))
            from += count
            while (next < switches.length() && update.counters.steps >= switches.getJSONArray(next).getInt(0)) {
                stream.threshold = switches.getJSONArray(next).getDouble(1).toFloat()
                next += 1
            }
        }
        check(from == samples.size) { "cuts of $from samples, of ${samples.size}" }
        return updates.put(described(stream.finish()))
    }

    /** Samples of either kind. */
    private class Samples(val size: Int, val feed: (Stream, Int, Int) -> Update)

    private fun samples(job: JSONObject): Samples {
        val bytes = ByteBuffer.wrap(File(job.getString("pcm")).readBytes()).order(ByteOrder.LITTLE_ENDIAN)
        if (job.getBoolean("int16")) {
            val all = ShortArray(bytes.remaining() / 2).also { bytes.asShortBuffer().get(it) }
            return Samples(all.size) { stream, from, count -> stream.accept(all.copyOfRange(from, from + count)) }
        }
        val all = FloatArray(bytes.remaining() / 4).also { bytes.asFloatBuffer().get(it) }
        return Samples(all.size) { stream, from, count -> stream.accept(all.copyOfRange(from, from + count)) }
    }

    private fun described(update: Update): JSONObject {
        val steps = JSONArray()
        for (step in update.newSteps) {
            steps.put(
                JSONObject()
                    .put("keep", step.keep.joinToString("") { if (it) "1" else "0" })
                    .put("upper_ran", step.upperRan)
                    .put("waiting", step.waiting)
                    .put("threshold", step.threshold.toDouble()),
            )
        }
        val cost = update.counters
        return JSONObject()
            .put("final", update.final)
            .put("partial", update.partial)
            .put("changed", update.changed)
            .put("new_words", described(update.newWords))
            .put("partial_words", described(update.partialWords))
            .put("steps", steps)
            .put("counters", JSONArray(listOf(cost.frames, cost.keptFrames, cost.upperRuns, cost.steps, cost.audioS)))
    }

    private fun described(words: List<Word>) =
        JSONArray(words.map { JSONArray(listOf(it.text, it.startS, it.endS, it.confidence.toDouble())) })

    private fun described(metadata: Metadata) = JSONObject()
        .put("contract_version", metadata.contractVersion)
        .put("sample_rate_hz", metadata.sampleRateHz)
        .put("chunk_samples", metadata.chunkSamples)
        .put("chunk_frames", metadata.chunkFrames)
        .put("frame_samples", metadata.frameSamples)
        .put("blank_id", metadata.blankId)
        .put("pieces", JSONArray(metadata.pieces))
        .put("default_threshold", metadata.defaultThreshold.toDouble())
        .put("precision", metadata.precision)
        .put("lower_layers", metadata.lowerLayers)
        .put("upper_layers", metadata.upperLayers)
        .put("training", JSONObject(metadata.training))
        .put("exporter", JSONObject(metadata.exporter))

    private fun check(path: String) =
        try {
            ModelFile.check(File(path))
            println("taken")
        } catch (error: ProgramException) {
            println(error.message)
        }

    private fun read(wav: File, out: File) {
        wav.inputStream().use { input ->
            val audio = PickedAudio(input)
            out.outputStream().use { file ->
                for (block in generateSequence { audio.read() }) {
                    val bytes = ByteBuffer.allocate(4 * block.size).order(ByteOrder.LITTLE_ENDIAN)
                    bytes.asFloatBuffer().put(block)
                    file.write(bytes.array())
                }
            }
        }
    }
}
