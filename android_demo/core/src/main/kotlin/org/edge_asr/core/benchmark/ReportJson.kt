package org.edge_asr.core.benchmark

import org.edge_asr.core.measure.Distribution
import org.edge_asr.core.measure.Energy
import org.edge_asr.core.measure.Interval
import org.json.JSONArray
import org.json.JSONObject

private const val FORMAT = "edge-asr-profile"
private const val SCHEMA_VERSION = 2

/** As edge_asr/profiling/report_schema.json has it. Throws `JSONException` where a figure is not finite. */
fun Report.toJson(): String = objectOf(
    "format" to FORMAT,
    "schema_version" to SCHEMA_VERSION,
    "created_utc" to createdUtc,
    "command" to command,
    "conditions" to json(conditions),
    "protocol" to json(protocol),
    "results" to arrayOf(results, ::json),
    "ratios" to arrayOf(ratios, ::json),
    "wer_changes" to JSONArray(), // the profiler has the references
    "verdict" to json(verdict),
    "notes" to arrayOf(notes) { it },
).toString(1) + "\n"

/** A line of `heard.jsonl`. */
fun heardLine(setting: String, audio: String, text: String): String =
    objectOf("setting" to setting, "audio" to audio, "text" to text).toString() + "\n"

private fun json(conditions: Conditions) = objectOf(
    "target" to TARGET,
    "emulated" to conditions.emulated,
    "machine" to conditions.machine,
    "cpu" to conditions.cpu,
    "cores" to conditions.cores,
    "system" to conditions.system,
    "cpus" to null,
    "threads" to conditions.threads,
    "charging" to conditions.charging,
    "before" to json(conditions.before),
    "after" to json(conditions.after),
    "versions" to objectOf(*conditions.versions.toList().toTypedArray()),
)

private fun json(snapshot: Snapshot) = objectOf(
    "governor" to snapshot.governor,
    "frequencies_mhz" to snapshot.frequenciesMhz?.let { arrayOf(it) { mhz -> mhz } },
    "temperatures_c" to snapshot.temperaturesC?.let { objectOf(*it.toList().toTypedArray()) },
    "throttled" to snapshot.throttled,
    "load_1min" to snapshot.load1min,
    "others_cpu_share" to null, // an app may not see what others use
)

private fun json(protocol: Protocol) = objectOf(
    "warm_up_passes" to protocol.warmUpPasses,
    "passes" to protocol.passes,
    "traversals" to protocol.traversals,
    "cold_starts" to protocol.coldStarts,
    "interleaved" to protocol.interleaved,
    "cool_down_s" to protocol.coolDownS,
    "recordings" to protocol.recordings,
    "recordings_sha256" to protocol.recordingsSha256,
    "references_sha256" to null, // the profiler has the references
)

private fun json(result: Result) = objectOf(
    "setting" to json(result.setting),
    "audio_s" to result.audioS,
    "frames" to result.frames,
    "kept_frames" to result.keptFrames,
    "upper_runs" to result.upperRuns,
    "steps" to result.steps,
    "latency" to result.latency?.let(::json),
    "memory" to json(result.memory),
    "energy" to json(result.energy),
    "accuracy" to null,
    "passes" to arrayOf(result.passes, ::json),
)

private fun json(setting: Setting) = objectOf(
    "name" to setting.name,
    "runtime" to setting.runtime,
    "runtime_version" to setting.runtimeVersion,
    "model" to setting.model,
    "model_sha256" to setting.modelSha256,
    "precision" to setting.precision,
    "threshold" to setting.threshold,
)

private fun json(latency: Latency) = objectOf(
    "cold_load_ms" to latency.coldLoadMs?.let(::json),
    "start_to_first_result_ms" to latency.startToFirstResultMs?.let(::json),
    "first_step_ms" to latency.firstStepMs?.let(::json),
    "warm_step_ms" to latency.warmStepMs?.let(::json),
    "warm_step_upper_ms" to latency.warmStepUpperMs?.let(::json),
    "warm_step_skipped_ms" to latency.warmStepSkippedMs?.let(::json),
    "first_partial_ms" to latency.firstPartialMs?.let(::json),
    "end_of_speech_ms" to latency.endOfSpeechMs?.let(::json),
    "rtf" to latency.rtf,
    "stages_ms" to null,
    "operators_ms" to null,
)

private fun json(times: Distribution) = objectOf(
    "count" to times.count,
    "mean_ms" to times.meanMs,
    "p50_ms" to times.p50Ms,
    "p90_ms" to times.p90Ms,
    "p99_ms" to times.p99Ms,
)

private fun json(memory: Memory) = objectOf(
    "file_bytes" to memory.fileBytes,
    "planned_bytes" to null, // the runtime's Android library does not tell
    "packed_bytes" to null, // not to be told from what Java has
    "peak_rss_bytes" to memory.peakRssBytes,
    "pss_bytes" to memory.pssBytes,
    "growth_bytes" to memory.growthBytes,
)

private fun json(energy: Energy) = objectOf(
    "kind" to energy.kind,
    "source" to energy.source,
    "reason" to energy.reason,
    "joules" to energy.joules,
    "mj_per_audio_s" to energy.mjPerAudioS,
    "uncertainty_mj_per_audio_s" to energy.uncertaintyMjPerAudioS,
    "idle_w" to energy.idleW,
    "sample_hz" to energy.sampleHz,
    "samples" to energy.samples,
)

private fun json(pass: Pass) = objectOf(
    "order" to pass.order,
    "compute_s" to pass.computeS,
    "cpu_s" to pass.cpuS,
    "joules" to pass.joules,
)

private fun json(ratio: Ratio) = objectOf(
    "of" to ratio.of,
    "to" to ratio.to,
    "quantity" to ratio.quantity,
    "ratio" to ratio.ratio,
    "ci95" to ratio.ci95?.let(::json),
    "pairs" to ratio.pairs,
)

private fun json(interval: Interval) = JSONArray().put(interval.low).put(interval.high)

private fun json(verdict: Verdict) = objectOf(
    "quotable" to verdict.quotable,
    "reasons" to arrayOf(verdict.reasons) { it },
    "spread" to verdict.spread,
    "unfinished" to null, // what ends early writes no report
)

/** Absent values are null in the file, not left out. */
private fun objectOf(vararg fields: Pair<String, Any?>): JSONObject {
    val made = JSONObject()
    for ((name, value) in fields) made.put(name, value ?: JSONObject.NULL)
    return made
}

private fun <Item> arrayOf(items: List<Item>, json: (Item) -> Any): JSONArray {
    val made = JSONArray()
    for (item in items) made.put(json(item))
    return made
}
