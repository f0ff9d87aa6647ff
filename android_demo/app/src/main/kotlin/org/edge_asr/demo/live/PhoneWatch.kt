package org.edge_asr.demo.live

import android.content.Context
import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import org.edge_asr.core.measure.LivePower
import org.edge_asr.core.measure.LivePowerMeter
import org.edge_asr.core.policy.PhoneState
import org.edge_asr.demo.phone.PhoneBattery
import org.edge_asr.demo.phone.PhoneThermal

/** What the phone says of itself at one moment. */
class PhoneReading(val state: PhoneState, val power: LivePower, val temperatureC: Double?)

/** Reads the phone's figures once a second, on a thread of its own, and gives them to [told] on the main thread. */
class PhoneWatch(context: Context, private val told: (PhoneReading) -> Unit) {
    private val main = Handler(Looper.getMainLooper())
    private val battery = PhoneBattery(context)
    private val thermal = PhoneThermal(context)
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
        val sample = battery.sample()
        val state = PhoneState(battery.fraction(), sample.plugged, thermal.status())
        return PhoneReading(state, meter.seeing(sample), battery.temperatureC())
    }

    private companion object {
        const val EVERY_MS = 1_000L
    }
}
