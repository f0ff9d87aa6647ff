package org.edge_asr.core.measure

import kotlin.math.abs

/** What a phone's battery says at one moment, as it says it; null where it does not. */
data class BatterySample(
    /** Of the phone's monotonic clock. */
    val timeS: Double,
    /** `BATTERY_PROPERTY_CURRENT_NOW`: documented as µA, positive when charging; vendors differ in both. */
    val currentRaw: Long?,
    /** `EXTRA_VOLTAGE`: mV, on some phones µV. */
    val voltageRaw: Int?,
    /** Whether something outside feeds the phone, whatever it does to the battery. */
    val plugged: Boolean?,
)

/** How a gauge counts current. */
enum class CurrentUnit(val symbol: String, val amperes: Double) { MICROAMPERE("µA", 1e-6), MILLIAMPERE("mA", 1e-3) }

/** Which sign the gauge gives a current that leaves the battery. */
enum class DischargeSign { NEGATIVE, POSITIVE }

/**
 * What a gauge's raw numbers mean, told from a run on battery: a phone that computes takes more than 10 mA at some time,
 * which is 38 mW, and never 10 A, which is 38 W. So a largest number below ten thousand is mA, any other µA.
 */
data class GaugeMeaning(
    val unit: CurrentUnit,
    val sign: DischargeSign,
    val lowestRaw: Long,
    val highestRaw: Long,
    /** The last one. */
    val voltageRaw: Int,
) {
    /** For a report: what was read, and what it was taken for. */
    fun inWords(): String {
        val direction = if (sign == DischargeSign.NEGATIVE) "negative" else "positive"
        return "raw current $lowestRaw to $highestRaw at raw voltage $voltageRaw; taken for ${unit.symbol}, $direction when discharging"
    }
}

/** Power of a run, sample by sample. */
class BatteryPower(val timesS: DoubleArray, val watts: DoubleArray, val meaning: GaugeMeaning)

/**
 * Of samples taken on battery, those without a current or a voltage left out. Throws [NotCoveredException] where they do
 * not tell power.
 */
fun batteryPower(samples: List<BatterySample>): BatteryPower {
    val told = samples.filter { it.currentRaw != null && it.voltageRaw != null }
    val meaning = gaugeMeaning(told)
    val watts = told.map { abs(it.currentRaw!!) * meaning.unit.amperes * volts(it.voltageRaw!!) }
    return BatteryPower(told.map { it.timeS }.toDoubleArray(), watts.toDoubleArray(), meaning)
}

/** Of a sample on its own, in W, with the unit that the largest current so far tells; null where it tells none. */
fun batteryWatts(sample: BatterySample, largestRaw: Long): Double? {
    val current = sample.currentRaw ?: return null
    val volts = volts(sample.voltageRaw ?: return null)
    if (volts !in PLAUSIBLE_V || current == 0L) return null
    return abs(current) * currentUnit(maxOf(largestRaw, abs(current))).amperes * volts
}

private fun gaugeMeaning(told: List<BatterySample>): GaugeMeaning {
    if (told.isEmpty()) throw NotCoveredException("the battery's gauge tells no current")
    val lowest = told.minOf { it.currentRaw!! }
    val highest = told.maxOf { it.currentRaw!! }
    if (lowest < 0 && highest > 0) {
        throw NotCoveredException(
            "the battery's current changed its direction during the run (raw $lowest to $highest): something charged it",
        )
    }
    if (lowest == 0L && highest == 0L) throw NotCoveredException("the battery's gauge gives no current but 0")
    val voltage = told.last().voltageRaw!!
    told.firstOrNull { volts(it.voltageRaw!!) !in PLAUSIBLE_V }?.let {
        throw NotCoveredException("the battery gives ${it.voltageRaw} as its voltage, which is neither mV nor µV of a phone's battery")
    }
    val unit = currentUnit(maxOf(abs(lowest), abs(highest)))
    return GaugeMeaning(unit, if (lowest < 0) DischargeSign.NEGATIVE else DischargeSign.POSITIVE, lowest, highest, voltage)
}

private fun currentUnit(largestRaw: Long): CurrentUnit =
    if (largestRaw >= SMALLEST_MICROAMPERES) CurrentUnit.MICROAMPERE else CurrentUnit.MILLIAMPERE

private fun volts(raw: Int): Double = if (raw >= SMALLEST_MICROVOLTS) raw * 1e-6 else raw * 1e-3

private const val SMALLEST_MICROAMPERES = 10_000L
private const val SMALLEST_MICROVOLTS = 100_000

/** From an empty cell to a foldable's or a tablet's cells in series. */
private val PLAUSIBLE_V = 2.0..20.0
