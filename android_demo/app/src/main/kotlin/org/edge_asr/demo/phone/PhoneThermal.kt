package org.edge_asr.demo.phone

import android.content.Context
import android.os.Build
import android.os.PowerManager

/** How far the system slows itself down against heat. */
class PhoneThermal(context: Context) {
    private val power = context.applicationContext.getSystemService(Context.POWER_SERVICE) as PowerManager?

    /** `PowerManager.getCurrentThermalStatus`: 0 none, 1 light, ... 6 shutting down; null before Android 10. */
    fun status(): Int? {
        if (Build.VERSION.SDK_INT < ANDROID_10) return null
        // by name, as the API that the tests compile against is older
        return attempt { PowerManager::class.java.getMethod("getCurrentThermalStatus").invoke(power) as Int? }
    }

    private companion object {
        const val ANDROID_10 = 29
    }
}
