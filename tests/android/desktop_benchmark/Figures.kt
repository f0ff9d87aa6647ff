package org.edge_asr.desktop_benchmark

import java.io.File
import org.edge_asr.core.benchmark.gateName
import org.edge_asr.core.benchmark.judge
import org.edge_asr.core.measure.BatterySample
import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.Interval
import org.edge_asr.core.measure.NotCoveredException
import org.edge_asr.core.measure.PassEnergy
import org.edge_asr.core.measure.Span
import org.edge_asr.core.measure.Window
import org.edge_asr.core.measure.batteryPower
import org.edge_asr.core.measure.distribution
import org.edge_asr.core.measure.energyOf
import org.edge_asr.core.measure.integrateCounter
import org.edge_asr.core.measure.integratePower
import org.edge_asr.core.measure.interleavedRatio
import org.edge_asr.core.measure.relativeSpread
import org.edge_asr.core.measure.studentQuantile
import org.json.JSONArray
import org.json.JSONObject

/** The app's statistics of numbers that a test gives it: CASES is a JSON object by kind of figure; prints the answers alike. */
object Figures {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val cases = JSONObject(File(arguments[0]).readText())
        val answers = JSONObject()
        for (kind in cases.keys().asSequence().map { it as String }) {
            val each = cases.getJSONArray(kind)
            answers.put(kind, JSONArray((0 until each.length()).map { answer(kind, each.get(it)) }))
        }
        println(answers)
    }

    private fun answer(kind: String, case: Any): Any = when (kind) {
        "distribution" -> distribution(numbers(case))!!.run { JSONArray(listOf(count, meanMs, p50Ms, p90Ms, p99Ms)) }
        "spread" -> relativeSpread(numbers(case))
        "ratio" -> ratio(case as JSONArray)
        "student" -> studentQuantile(case as Int)
        "gate" -> gateName((case as Number).toDouble())
        "power", "counter" -> refusable { window(kind, case as JSONObject) }
        "battery" -> refusable { JSONArray(battery(case as JSONObject).toList()) }
        "energy" -> energy(case as JSONObject)
        "verdict" -> verdict(case as JSONObject)
        else -> throw IllegalArgumentException(kind)
    }

    private fun ratio(case: JSONArray): JSONArray {
        val found = interleavedRatio(numbers(case.get(0)), numbers(case.get(1)))
        return JSONArray(listOf(found.value, found.ci95?.let(::described) ?: JSONObject.NULL))
    }

    private fun described(interval: Interval) = JSONArray(listOf(interval.low, interval.high))

    private fun window(kind: String, case: JSONObject): JSONArray {
        val times = numbers(case.get("times_s"))
        val values = numbers(case.get("values"))
        val span = spans(case.getJSONArray("spans")).single()
        val found = if (kind == "power") {
            val gapS = case.getDouble("max_gap_s")
            integratePower(times, values, span, gapS, case.getDouble("slack_s"), case.getDouble("clock_s"), case.getBoolean("repeats"))
        } else {
            integrateCounter(times, values, span, case.getDouble("highest_w"), case.getDouble("resolution_j"), case.getDouble("slack_s"), case.getDouble("clock_s"))
        }
        return JSONArray(listOf(found.joules, found.seconds, found.samples, found.sampleHz, found.uncertaintyJ))
    }

    private fun battery(case: JSONObject): DoubleArray {
        val current = numbers(case.get("current"))
        val voltage = numbers(case.get("voltage"))
        return batteryPower(current.indices.map { BatterySample(it.toDouble(), current[it].toLong(), voltage[it].toInt(), false) }).watts
    }

    private fun energy(case: JSONObject): JSONObject {
        val times = numbers(case.get("times_s"))
        val watts = numbers(case.get("values"))
        val meter = object : EnergyMeter {
            override val name = "meter"
            override val covers = "it"
            override val problem: String? = null
            override fun start() = Unit
            override fun stop() = Unit
            override fun window(span: Span): Window = integratePower(times, watts, span, maxGapS = 1.0)
            override fun readings(): String? = null
        }
        val found: PassEnergy =
            energyOf(meter, spans(case.getJSONArray("passes")), spans(case.getJSONArray("idle")), case.getDouble("audio_s"))
        val energy = found.energy
        return JSONObject()
            .put("kind", energy.kind)
            .put("source", energy.source ?: JSONObject.NULL)
            .put("covered", energy.reason?.substringBefore(':') ?: JSONObject.NULL)
            .put("joules", energy.joules ?: JSONObject.NULL)
            .put("mj_per_audio_s", energy.mjPerAudioS ?: JSONObject.NULL)
            .put("uncertainty_mj_per_audio_s", energy.uncertaintyMjPerAudioS ?: JSONObject.NULL)
            .put("idle_w", energy.idleW ?: JSONObject.NULL)
            .put("sample_hz", energy.sampleHz ?: JSONObject.NULL)
            .put("samples", energy.samples ?: JSONObject.NULL)
            .put("passes", JSONArray(found.joules.map { it ?: JSONObject.NULL }))
    }

    private fun verdict(case: JSONObject): JSONObject {
        val settings = case.getJSONObject("compute_s")
        val names = case.getJSONArray("names")
        val computeS = (0 until names.length()).map(names::getString).associateWith { numbers(settings.get(it)) }
        val found = judge(computeS, case.getBoolean("emulated"), case.getBoolean("throttled"))
        return JSONObject().put("quotable", found.quotable).put("reasons", JSONArray(found.reasons)).put("spread", found.spread ?: JSONObject.NULL)
    }

    private fun refusable(ask: () -> Any): Any =
        try {
            ask()
        } catch (_: NotCoveredException) {
            "refused"
        }

    private fun numbers(array: Any): DoubleArray = (array as JSONArray).let { values -> DoubleArray(values.length(), values::getDouble) }

    private fun spans(array: JSONArray): List<Span> =
        (0 until array.length()).map { array.getJSONArray(it).run { Span(getDouble(0), getDouble(1)) } }
}
