package org.edge_asr.demo.phone

import android.content.Context
import android.os.Build
import android.os.SystemClock
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import org.edge_asr.core.benchmark.Phone
import org.edge_asr.core.benchmark.Snapshot
import org.edge_asr.core.measure.DeviceFiles

/** This phone, as a benchmark sees it. */
class AndroidPhone(
    private val context: Context,
    private val battery: PhoneBattery,
    private val thermal: PhoneThermal,
    runtimeVersion: String,
) : Phone {
    private val files = DeviceFiles()
    private val process = PhoneProcess(files)

    override fun nowS(): Double = 1e-9 * SystemClock.elapsedRealtimeNanos()

    override fun utcNow(): String {
        val format = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'+00:00'", Locale.ROOT)
        format.timeZone = TimeZone.getTimeZone("UTC")
        return format.format(Date())
    }

    override fun sleep(seconds: Double) = SystemClock.sleep((1e3 * seconds).toLong().coerceAtLeast(1))

    override val emulated: Boolean = Build.HARDWARE in EMULATORS || Build.FINGERPRINT.startsWith("generic")

    override val machine: String = System.getProperty("os.arch") ?: "unknown"

    override val cpu: String = listOfNotNull(chip(), "${Build.MANUFACTURER} ${Build.MODEL}").joinToString(", ")

    override val cores: Int = java.lang.Runtime.getRuntime().availableProcessors()

    override val system: String =
        listOfNotNull("Android ${Build.VERSION.RELEASE}", files.kernel() ?: kernel()).joinToString(", ")

    override val versions: Map<String, String> = mapOf(
        "app" to (attempt { context.packageManager.getPackageInfo(context.packageName, 0).versionName } ?: "unknown"),
        "runtime" to runtimeVersion,
        "android_api" to Build.VERSION.SDK_INT.toString(),
        "build" to Build.DISPLAY,
    )

    override fun snapshot(): Snapshot {
        val temperatures = files.temperaturesC() + listOfNotNull(battery.temperatureC()?.let { "battery gauge" to it })
        return Snapshot(
            governor = files.governor(),
            frequenciesMhz = files.frequenciesMhz(),
            temperaturesC = temperatures.ifEmpty { null },
            throttled = thermal.status()?.let { it > NOT_THROTTLED },
            load1min = files.load1min(),
        )
    }

    override fun plugged(): Boolean? = battery.plugged()

    override fun cpuS(): Double = process.cpuS()

    override fun residentBytes(): Long? {
        java.lang.Runtime.getRuntime().gc() // Java's garbage is not what grows
        return process.residentBytes()
    }

    /** Android 12 tells the chip; before, its family. */
    private fun chip(): String? {
        val told = attempt { Build::class.java.getField("SOC_MODEL").get(null) as String? }
        return (told ?: Build.HARDWARE).takeIf { it.isNotEmpty() && it != Build.UNKNOWN }
    }

    private fun kernel(): String? = System.getProperty("os.version")?.let { "Linux $it" }

    private companion object {
        val EMULATORS = setOf("goldfish", "ranchu")
        const val NOT_THROTTLED = 0 // PowerManager.THERMAL_STATUS_NONE
    }
}
