package org.edge_asr.screens

import org.edge_asr.core.benchmark.Conditions
import org.edge_asr.core.benchmark.Latency
import org.edge_asr.core.benchmark.Memory
import org.edge_asr.core.benchmark.Protocol
import org.edge_asr.core.benchmark.Ratio
import org.edge_asr.core.benchmark.Report
import org.edge_asr.core.benchmark.Result
import org.edge_asr.core.benchmark.Setting
import org.edge_asr.core.benchmark.Snapshot
import org.edge_asr.core.benchmark.Verdict
import org.edge_asr.core.measure.Distribution
import org.edge_asr.core.measure.Energy
import org.edge_asr.core.measure.Interval
import org.edge_asr.demo.screen.BenchmarkScreen
import org.json.JSONArray
import org.json.JSONObject

// Reports with the figures that a picture asks for. What the screen does not show is left empty.

internal fun showBenchmark(screen: BenchmarkScreen, wanted: JSONObject) {
    wanted.optJSONArray("progress")?.let { lines -> for (at in 0 until lines.length()) screen.showProgress(lines.getString(at)) }
    wanted.optJSONObject("report")?.let { screen.showReport(reportOf(it), wanted.getString("folder")) }
    if (wanted.has("failure")) screen.showFailure(wanted.getString("failure"))
}

private fun reportOf(wanted: JSONObject): Report {
    val reasons = wanted.getJSONArray("reasons").let { array -> List(array.length(), array::getString) }
    val moment = Snapshot(null, null, null, null, null)
    return Report(
        createdUtc = "",
        command = "",
        conditions = Conditions(false, "", "", 1, "", 1, null, moment, moment, emptyMap()),
        protocol = Protocol(1, 1, 1, 1, true, 0.0, 1, ""),
        results = wanted.getJSONArray("results").objects().map(::resultOf),
        ratios = wanted.getJSONArray("ratios").objects().map(::ratioOf),
        verdict = Verdict(reasons.isEmpty(), reasons, null),
        notes = emptyList(),
    )
}

private fun resultOf(wanted: JSONObject) = Result(
    setting = Setting(wanted.getString("setting"), "android", "", "", "", "", 0.0),
    audioS = 0.0,
    frames = wanted.getLong("frames"),
    keptFrames = wanted.getLong("kept_frames"),
    upperRuns = 0,
    steps = 0,
    latency = Latency(
        coldLoadMs = times(wanted.getDouble("load_ms"), 0.0),
        startToFirstResultMs = null,
        firstStepMs = null,
        warmStepMs = times(wanted.getDouble("step_p50_ms"), wanted.getDouble("step_p99_ms")),
        warmStepUpperMs = null,
        warmStepSkippedMs = null,
        firstPartialMs = null,
        endOfSpeechMs = null,
        rtf = wanted.getDouble("rtf"),
    ),
    memory = Memory(0, wanted.getLong("peak_bytes"), null, null),
    energy = energyOf(wanted.getJSONObject("energy")),
    passes = emptyList(),
)

private fun times(p50Ms: Double, p99Ms: Double) = Distribution(1, p50Ms, p50Ms, p99Ms, p99Ms)

private fun energyOf(wanted: JSONObject): Energy =
    if (!wanted.has("mj")) Energy(Energy.NOT_MEASURED, reason = wanted.getString("reason"))
    else Energy(Energy.MEASURED, "battery", mjPerAudioS = wanted.getDouble("mj"), uncertaintyMjPerAudioS = wanted.getDouble("uncertainty_mj"))

private fun ratioOf(wanted: JSONObject) = Ratio(
    wanted.getString("of"), wanted.getString("to"), wanted.getString("quantity"), wanted.getDouble("ratio"),
    wanted.optJSONArray("ci95")?.let { Interval(it.getDouble(0), it.getDouble(1)) }, 1,
)

private fun JSONArray.objects(): List<JSONObject> = List(length(), ::getJSONObject)
