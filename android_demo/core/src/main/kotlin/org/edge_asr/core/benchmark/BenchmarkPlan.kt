package org.edge_asr.core.benchmark

import java.math.BigDecimal
import java.math.MathContext

/** What ends a benchmark early; the message is one line, what is wrong and what to do. */
class BenchmarkException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** What is asked of a benchmark, as edge_asr/profiling/targets/android.md describes. */
data class BenchmarkPlan(
    /** Null: the app's own model and recording. */
    val run: String?,
    /** Every model is measured at each; null: what its file recommends, and never skipping. */
    val thresholds: List<Double>?,
    val threads: Int = 1,
    /** Of each setting. */
    val passes: Int = 10,
    /** Before each pass. */
    val coolDownS: Double = 0.0,
) {
    /** Below the app's private folder. */
    val folder: String get() = "$FOLDER/${run ?: MANUAL}"

    /** The line that reproduces it. */
    fun command(activity: String): String {
        val line = StringBuilder("adb shell am start -S -W -n $activity")
        run?.let { line.append(" --es run $it") }
        thresholds?.let { all -> line.append(" --es thresholds ${all.joinToString(",", transform = ::shortNumber)}") }
        line.append(" --ei threads $threads --ei passes $passes --ef cool_down_s ${shortNumber(coolDownS)}")
        return line.toString()
    }

    companion object {
        const val FOLDER = "benchmark"
        const val MANUAL = "manual"
        private const val MOST_THREADS = 64
        private const val MOST_PASSES = 1_000
        private const val LONGEST_COOL_DOWN_S = 3_600.0
        private val EXTRAS = setOf("run", "thresholds", "threads", "passes", "cool_down_s")
        private val RUN = Regex("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

        /**
         * Of an intent's extras, by name. Throws [BenchmarkException] for what no benchmark can be made of: a wrong one is not
         * replaced by the default, or somebody would quote figures of something else.
         */
        fun of(extras: Map<String, Any?>): BenchmarkPlan {
            val unknown = extras.keys - EXTRAS
            if (unknown.isNotEmpty()) {
                throw BenchmarkException("unknown extra ${unknown.first()}: there are ${EXTRAS.joinToString(", ")}")
            }
            return BenchmarkPlan(
                run = runOf(extras["run"]),
                thresholds = extras["thresholds"]?.let(::thresholdsOf),
                threads = whole(extras, "threads", 1, 1..MOST_THREADS),
                passes = whole(extras, "passes", 10, 1..MOST_PASSES),
                coolDownS = coolDown(extras["cool_down_s"]),
            )
        }

        /** The folder that an answer belongs to, even where the rest of [extras] is wrong. */
        fun folderOf(extras: Map<String, Any?>): String {
            val run = extras["run"] as? String
            return "$FOLDER/${if (run != null && RUN.matches(run)) run else MANUAL}"
        }

        private fun runOf(value: Any?): String? {
            if (value == null) return null
            if (value !is String || !RUN.matches(value)) {
                throw BenchmarkException("run is '$value': it is the name of a folder, of letters, digits, - and _ (--es run NAME)")
            }
            return value
        }

        private fun thresholdsOf(value: Any): List<Double> {
            val numbers = (value as? String)?.split(",")?.map { it.trim().toDoubleOrNull() }
            if (numbers == null || numbers.any { it == null || it !in 0.0..1.0 }) {
                throw BenchmarkException("thresholds is '$value': numbers from 0 to 1 with commas between (--es thresholds 0.7,1)")
            }
            val each = numbers.filterNotNull().distinct()
            val names = each.map(::gateName)
            names.firstOrNull { name -> names.count { it == name } > 1 }?.let {
                throw BenchmarkException("thresholds is '$value': two of them are both called '$it': leave one out")
            }
            return each
        }

        private fun whole(extras: Map<String, Any?>, name: String, default: Int, range: IntRange): Int {
            val value = extras[name] ?: return default
            if (value !is Int || value !in range) {
                throw BenchmarkException("$name is '$value': a whole number from ${range.first} to ${range.last} (--ei $name ${range.first})")
            }
            return value
        }

        private fun coolDown(value: Any?): Double {
            if (value == null) return 0.0
            val seconds = when (value) {
                is Float -> value.toString().toDouble() // 0.1, not 0.10000000149
                is Int -> value.toDouble()
                else -> Double.NaN
            }
            if (seconds !in 0.0..LONGEST_COOL_DOWN_S) {
                throw BenchmarkException("cool_down_s is '$value': seconds from 0 to ${LONGEST_COOL_DOWN_S.toInt()} (--ef cool_down_s 5)")
            }
            return seconds
        }
    }
}

/** `gate 0.7`, or `gate off` of one that never skips. */
fun gateName(threshold: Double): String = if (threshold >= 1) "gate off" else "gate ${shortNumber(threshold)}"

/** Six digits that count, as Python's `g` writes them. */
internal fun shortNumber(value: Double): String {
    val rounded = BigDecimal(value).round(MathContext(SHORT_DIGITS)).stripTrailingZeros()
    if (rounded.signum() == 0) return "0"
    val exponent = rounded.precision() - rounded.scale() - 1
    if (exponent >= SMALLEST_PLAIN && exponent < SHORT_DIGITS) return rounded.toPlainString()
    val digits = rounded.movePointLeft(exponent).toPlainString()
    return digits + "e" + (if (exponent < 0) "-" else "+") + Math.abs(exponent).toString().padStart(2, '0')
}

private const val SHORT_DIGITS = 6
private const val SMALLEST_PLAIN = -4
