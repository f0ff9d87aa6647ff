package org.edge_asr.core.live

import java.text.NumberFormat
import java.util.Locale

/** Numbers as the screen shows them: as many digits as mean something, and a dash where there is nothing to tell. */
class Figures(private val locale: Locale) {
    /** 0 to 1, as whole percent; what is not quite none, or not quite all, is not rounded to it. */
    fun percent(ratio: Double?): String = told(ratio) {
        val percent = Math.round(100 * it)
        decimals(if (it > 0 && it < 1) percent.coerceIn(1, 99).toDouble() else percent.toDouble(), 0)
    }

    /** Seconds of computing for a second of audio: two digits that count. */
    fun realTimeFactor(factor: Double?): String = told(factor) { significant(it, 2) }

    fun latencyMs(ms: Double?): String = told(ms) { decimals(it, if (it < 10) 1 else 0) }

    fun powerMw(mw: Double?): String = told(mw) { decimals(it, 0) }

    fun temperatureC(celsius: Double?): String = told(celsius) { decimals(it, 1) }

    fun seconds(seconds: Double): String = told(seconds) { decimals(it, 1) }

    fun threshold(threshold: Float): String = decimals(threshold.toDouble(), 2)

    private fun significant(value: Double, digits: Int): String {
        val magnitude = if (value > 0) Math.floor(Math.log10(value)).toInt() else 0
        return decimals(value, (digits - 1 - magnitude).coerceIn(1, MOST_DECIMALS))
    }

    private fun decimals(value: Double, count: Int): String {
        val format = NumberFormat.getNumberInstance(locale)
        format.minimumFractionDigits = count
        format.maximumFractionDigits = count
        return format.format(value)
    }

    private inline fun told(value: Double?, write: (Double) -> String): String =
        if (value == null || value.isNaN() || value.isInfinite()) NOTHING else write(value)

    companion object {
        const val NOTHING = "–"
        private const val MOST_DECIMALS = 5
    }
}
