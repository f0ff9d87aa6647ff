package org.edge_asr.core.benchmark

import org.edge_asr.core.measure.Distribution
import org.edge_asr.core.measure.Energy
import org.edge_asr.core.measure.Interval

// What a benchmark says: `Report` of edge_asr/profiling/report.py, with that file's meanings. Without references an app
// knows no accuracy, and without a trace no stages: those fields are always null, and not here.

data class Setting(
    /** Unique in a report. */
    val name: String,
    val runtime: String,
    val runtimeVersion: String,
    /** File name. */
    val model: String,
    val modelSha256: String,
    val precision: String,
    val threshold: Double,
)

data class Latency(
    val coldLoadMs: Distribution?,
    val startToFirstResultMs: Distribution?,
    val firstStepMs: Distribution?,
    val warmStepMs: Distribution?,
    val warmStepUpperMs: Distribution?,
    val warmStepSkippedMs: Distribution?,
    val firstPartialMs: Distribution?,
    val endOfSpeechMs: Distribution?,
    val rtf: Double,
)

data class Memory(val fileBytes: Long, val peakRssBytes: Long?, val pssBytes: Long?, val growthBytes: Long?)

data class Pass(val order: Int, val computeS: Double, val cpuS: Double?, val joules: Double?)

data class Result(
    val setting: Setting,
    val audioS: Double,
    val frames: Long,
    val keptFrames: Long,
    val upperRuns: Long,
    val steps: Long,
    val latency: Latency?,
    val memory: Memory,
    val energy: Energy,
    val passes: List<Pass>,
)

/** Setting [of] over setting [to], pass by pass: below 1 is less. */
data class Ratio(val of: String, val to: String, val quantity: String, val ratio: Double, val ci95: Interval?, val pairs: Int)

/** The phone at one moment. What it does not tell is null. */
data class Snapshot(
    val governor: String?,
    val frequenciesMhz: List<Double>?,
    val temperaturesC: Map<String, Double>?,
    val throttled: Boolean?,
    val load1min: Double?,
)

data class Conditions(
    val emulated: Boolean,
    val machine: String,
    val cpu: String,
    val cores: Int,
    val system: String,
    val threads: Int,
    val charging: Boolean?,
    val before: Snapshot,
    val after: Snapshot,
    val versions: Map<String, String>,
)

data class Protocol(
    val warmUpPasses: Int,
    val passes: Int,
    val traversals: Int,
    val coldStarts: Int,
    val interleaved: Boolean,
    val coolDownS: Double,
    val recordings: Int,
    val recordingsSha256: String,
)

data class Verdict(val quotable: Boolean, val reasons: List<String>, val spread: Double?)

data class Report(
    /** ISO 8601. */
    val createdUtc: String,
    val command: String,
    val conditions: Conditions,
    val protocol: Protocol,
    val results: List<Result>,
    val ratios: List<Ratio>,
    val verdict: Verdict,
    val notes: List<String>,
)

const val RUNTIME = "android"
const val TARGET = "adb"
