package org.edge_asr.core.policy

/** What the phone tells of itself; null where it does not. */
data class PhoneState(
    /** 0 empty, 1 full. */
    val batteryFraction: Double?,
    val charging: Boolean?,
    /** `PowerManager.getCurrentThermalStatus`: 0 none, 1 light, 2 moderate, ... 6 shutting down. */
    val thermalStatus: Int?,
)

/** Why energy is being saved. */
enum class SavingReason { LOW_BATTERY, HEAT, LOW_BATTERY_AND_HEAT }

data class Decision(
    /** To recognize with. */
    val threshold: Float,
    /** To be shown; null where the user's own threshold holds because nothing asks for less. */
    val reason: SavingReason?,
    /** Whether [threshold] is another than the user's: a user who skips that much already is not overruled. */
    val changed: Boolean,
)

/**
 * Saves energy below 20 % of battery or under thermal pressure, by skipping more frames.
 *
 * A frame is skipped where its blank probability is above the threshold. So what saves energy is a LOWER threshold, and
 * saving never lets one rise. How much it saves depends on where the user stood: much to one who never skipped, little
 * to one at the file's default, as most frames that can be skipped are skipped there already.
 *
 * Immutable: each look at the phone gives the next one. It starts to save at one mark and stops at another, so that a
 * phone that hovers at the mark does not switch to and fro.
 */
data class SavingPolicy(val low: Boolean = false, val hot: Boolean = false) {
    /** What is not known leaves things as they are. */
    fun seeing(phone: PhoneState) = SavingPolicy(lowAfter(phone), hotAfter(phone))

    /** [on]: the user's switch. [users]: the slider's threshold. [default]: what the file recommends. */
    fun decide(on: Boolean, users: Float, default: Float): Decision {
        val reason = if (on) reason() else null
        val threshold = if (reason == null) users else minOf(users, savingThreshold(default))
        return Decision(threshold, reason, threshold != users)
    }

    private fun reason(): SavingReason? = when {
        low && hot -> SavingReason.LOW_BATTERY_AND_HEAT
        low -> SavingReason.LOW_BATTERY
        hot -> SavingReason.HEAT
        else -> null
    }

    private fun lowAfter(phone: PhoneState): Boolean {
        if (phone.charging == true) return false
        val fraction = phone.batteryFraction ?: return low
        return if (low) fraction < ENOUGH_FRACTION else fraction < LOW_FRACTION
    }

    private fun hotAfter(phone: PhoneState): Boolean {
        val status = phone.thermalStatus ?: return hot
        return if (hot) status > COOL_STATUS else status >= HOT_STATUS
    }

    companion object {
        const val LOW_FRACTION = 0.20
        const val ENOUGH_FRACTION = 0.25

        /** Moderate: the system slows things down already. */
        const val HOT_STATUS = 2
        const val COOL_STATUS = 0

        /** Of the file's default: from 0.7 to 0.49, near the lowest at which the shipped model was evaluated. */
        private const val SAVING_SHARE = 0.7f

        fun savingThreshold(default: Float): Float = SAVING_SHARE * default
    }
}
