package org.edge_asr.core.measure

import kotlin.math.abs

/** What a screen can say of the phone's power now. */
sealed class LivePower {
    /** Of the whole phone. */
    data class Measured(val mw: Double, val source: String) : LivePower()

    /** The battery does not tell what the phone takes while something outside feeds it. */
    object Charging : LivePower()

    /** The gauge gives no current, or none that makes sense. */
    object NotTold : LivePower()
}

/**
 * Turns the battery's samples into power as they come. It remembers the largest current, which tells the unit; until it
 * has seen more than 10 mA of a gauge that counts µA it would take them for mA, so that a figure above [MOST_W] is none.
 */
class LivePowerMeter {
    private var largestRaw = 0L

    fun seeing(sample: BatterySample): LivePower {
        if (sample.plugged == true) return LivePower.Charging
        val current = sample.currentRaw ?: return LivePower.NotTold
        largestRaw = maxOf(largestRaw, abs(current))
        val watts = batteryWatts(sample, largestRaw)
        return if (watts == null || watts > MOST_W) LivePower.NotTold else LivePower.Measured(1e3 * watts, "battery")
    }

    private companion object {
        const val MOST_W = 15.0
    }
}
