package org.edge_asr.demo.phone

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.SystemClock
import org.edge_asr.core.measure.BatterySample

/** The battery as the system tells it; null wherever it does not. Ask it on any thread. */
class PhoneBattery(context: Context) {
    private val context = context.applicationContext
    private val manager = context.getSystemService(Context.BATTERY_SERVICE) as BatteryManager?

    /** What an energy figure is made of. */
    fun sample(): BatterySample {
        val status = status()
        return BatterySample(
            timeS = 1e-9 * SystemClock.elapsedRealtimeNanos(),
            currentRaw = currentRaw(),
            voltageRaw = status?.positive(BatteryManager.EXTRA_VOLTAGE),
            plugged = plugged(status),
        )
    }

    /** 0 empty, 1 full. */
    fun fraction(): Double? {
        val status = status() ?: return null
        val level = status.getIntExtra(BatteryManager.EXTRA_LEVEL, -1)
        val scale = status.positive(BatteryManager.EXTRA_SCALE) ?: return null
        return if (level < 0) null else level.toDouble() / scale
    }

    /** Whether something outside feeds the phone. */
    fun plugged(): Boolean? = plugged(status())

    fun temperatureC(): Double? {
        val tenths = status()?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, UNKNOWN) ?: return null
        return if (tenths == UNKNOWN) null else tenths / 10.0
    }

    private fun plugged(status: Intent?): Boolean? {
        val source = status?.getIntExtra(BatteryManager.EXTRA_PLUGGED, -1) ?: return null
        return if (source < 0) null else source != 0
    }

    private fun currentRaw(): Long? {
        val raw = attempt { manager?.getLongProperty(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW) }
        return raw?.takeIf { it != Long.MIN_VALUE && it != Int.MIN_VALUE.toLong() } // so it says that it has none
    }

    /** The last broadcast, which the system keeps: no receiver stays registered. */
    private fun status(): Intent? =
        attempt { context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED)) }

    private fun Intent.positive(extra: String): Int? = getIntExtra(extra, -1).takeIf { it > 0 }

    private companion object {
        const val UNKNOWN = Int.MIN_VALUE
    }
}
