package org.edge_asr.demo.benchmark

import android.os.Bundle
import org.edge_asr.core.benchmark.BenchmarkException
import org.edge_asr.core.benchmark.ColdStart

/** What a fresh process is to do. */
class ColdStartRequest(val model: String, val threads: Int, val threshold: Float, val recordings: List<String>) {
    fun toBundle() = Bundle().apply {
        putString("model", model)
        putInt("threads", threads)
        putFloat("threshold", threshold)
        putStringArray("recordings", recordings.toTypedArray())
    }

    companion object {
        fun of(bundle: Bundle) = ColdStartRequest(
            bundle.getString("model").orEmpty(),
            bundle.getInt("threads"),
            bundle.getFloat("threshold"),
            bundle.getStringArray("recordings").orEmpty().toList(),
        )
    }
}

internal fun answer(seen: ColdStart) = Bundle().apply {
    putDouble("load_ms", seen.loadMs)
    putDouble("first_step_ms", seen.firstStepMs)
    seen.firstResultMs?.let { putDouble("first_result_ms", it) }
    seen.pssBytes?.let { putLong("pss_bytes", it) }
    seen.peakResidentBytes?.let { putLong("peak_resident_bytes", it) }
}

internal fun refusal(message: String) = Bundle().apply { putString("error", message) }

/** Throws [BenchmarkException] where the fresh process did. */
internal fun coldStartOf(answer: Bundle): ColdStart {
    answer.getString("error")?.let { throw BenchmarkException(it) }
    return ColdStart(
        loadMs = answer.getDouble("load_ms"),
        firstResultMs = if (answer.containsKey("first_result_ms")) answer.getDouble("first_result_ms") else null,
        firstStepMs = answer.getDouble("first_step_ms"),
        pssBytes = if (answer.containsKey("pss_bytes")) answer.getLong("pss_bytes") else null,
        peakResidentBytes = if (answer.containsKey("peak_resident_bytes")) answer.getLong("peak_resident_bytes") else null,
    )
}
