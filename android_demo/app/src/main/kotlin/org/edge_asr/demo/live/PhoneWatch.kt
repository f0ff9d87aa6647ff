package org.edge_asr.demo.live

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import android.os.PowerManager
import android.os.SystemClock
import org.edge_asr.core.measure.BatterySample
import org.edge_asr.core.measure.LivePower
import org.edge_asr.core.measure.LivePowerMeter
import org.edge_asr.core.policy.PhoneState

/** What the phone says of itself at one moment. */
class PhoneReading(val state: PhoneState, val power: LivePower, val temperatureC: Double?)

/** Reads the phone's figures once a second, on a thread of its own, and gives them to [told] on the main thread. */
class PhoneWatch(private val context: Context, private val told: (PhoneReading) -> Unit) {
    private val main = Handler(Looper.getMainLooper())
    private val meter = LivePowerMeter()
    private var thread: HandlerThread? = null

    fun start() {
        if (thread != null) return
        val started = HandlerThread("phone figures").apply { start() }
        thread = started
        val handler = Handler(started.looper)
        handler.post(
            object : Runnable {
                override fun run() {
                    val reading = read()
                    main.post { if (thread === started) told(reading) }
                    handler.postDelayed(this, EVERY_MS)
                }
            },
        )
    }

    fun stop() {
        thread?.quit()
        thread = null
    }

    private fun read(): PhoneReading {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
        val scale = battery?.getIntExtra(BatteryManager.EXTRA_SCALE, -1) ?: -1
        val plugged = battery?.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0)?.let { it != 0 }
        val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, NONE) ?: NONE
        val voltage = battery?.getIntExtra(BatteryManager.EXTRA_VOLTAGE, NONE) ?: NONE
        val manager = context.getSystemService(Context.BATTERY_SERVICE) as BatteryManager
        val current = manager.getLongProperty(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW)
        val sample = BatterySample(
            timeS = SystemClock.elapsedRealtimeNanos() * 1e-9,
            currentRaw = current.takeIf { it != Long.MIN_VALUE && it != 0L },
            voltageRaw = voltage.takeIf { it != NONE },
            plugged = plugged,
        )
        val fraction = if (level >= 0 && scale > 0) level.toDouble() / scale else null
        val state = PhoneState(fraction, plugged, thermalStatus())
        return PhoneReading(state, meter.seeing(sample), if (tenths == NONE) null else tenths / 10.0)
    }

    private fun thermalStatus(): Int? {
        if (Build.VERSION.SDK_INT < 29) return null
        val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
        return PowerManager::class.java.getMethod("getCurrentThermalStatus").invoke(power) as Int
    }

    private companion object {
        const val EVERY_MS = 1_000L
        const val NONE = Int.MIN_VALUE
    }
}
