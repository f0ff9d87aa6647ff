package org.edge_asr.demo.phone

import android.content.Context
import android.os.Build
import java.lang.reflect.InvocationHandler
import java.lang.reflect.Method
import java.lang.reflect.Proxy
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.TimeUnit
import org.edge_asr.core.measure.RailSample

/**
 * The power rails that the phone measures itself, by Android 15's `PowerMonitor`; all by name, as the API that the tests
 * compile against is older. Never ask it on the main thread: it waits for the system.
 *
 * Later versions give figures that are up to 20 s old to an app that lacks ACCESS_FINE_POWER_MONITORS, as this one does.
 * The readings carry the time they are of, so that old ones cannot pass for new.
 */
class PowerRails(context: Context, private val battery: PhoneBattery) {
    private val health: Any? =
        if (Build.VERSION.SDK_INT < ANDROID_15) null else context.applicationContext.getSystemService("systemhealth")
    private val byName: Map<String, Any> by lazy { attempt { measured() }.orEmpty() }

    /** As the phone names them; none where it has none, or tells none. */
    val names: List<String> get() = byName.keys.toList()

    /** Null where the system does not answer in time. */
    fun sample(): RailSample? = attempt {
        val monitors = byName
        val readings = if (monitors.isEmpty()) null else readings(monitors.values.toList())
        readings?.let { sampleOf(it, monitors) }
    }

    private fun sampleOf(readings: Any, monitors: Map<String, Any>): RailSample {
        val kind = Class.forName("android.os.PowerMonitorReadings")
        val monitor = Class.forName("android.os.PowerMonitor")
        val energy = kind.getMethod("getConsumedEnergy", monitor)
        val time = kind.getMethod("getTimestampMillis", monitor)
        val counts = monitors.mapValues { energy.invoke(readings, it.value) as Long }.filterValues { it != UNAVAILABLE }
        val latestMs = monitors.values.maxOf { time.invoke(readings, it) as Long }
        return RailSample(1e-3 * latestMs, counts, battery.plugged())
    }

    /** Those that are measured; what is only modelled is left out. */
    private fun measured(): Map<String, Any> {
        val monitors = waitFor(CONSUMER, "accept") { receiver ->
            health!!.javaClass.getMethod("getSupportedPowerMonitors", Executor::class.java, Class.forName(CONSUMER))
                .invoke(health, DIRECT, receiver)
        } as? List<*> ?: return emptyMap()
        val kind = Class.forName("android.os.PowerMonitor")
        val type = kind.getMethod("getType")
        val name = kind.getMethod("getName")
        return monitors.filterNotNull().filter { type.invoke(it) == MEASUREMENT }.associateBy { railName(name.invoke(it) as String) }
    }

    private fun readings(monitors: List<Any>): Any? = waitFor(OUTCOME_RECEIVER, "onResult") { receiver ->
        health!!.javaClass
            .getMethod("getPowerMonitorReadings", List::class.java, Executor::class.java, Class.forName(OUTCOME_RECEIVER))
            .invoke(health, monitors, DIRECT, receiver)
    }

    /** Calls [ask] with a receiver of the [type], and returns what its [method] is given; null where another is called. */
    private fun waitFor(type: String, method: String, ask: (Any) -> Unit): Any? {
        val done = CountDownLatch(1)
        var answer: Any? = null
        val handler = InvocationHandler { proxy: Any, called: Method, arguments: Array<Any?>? ->
            when (called.name) {
                "equals" -> proxy === arguments?.get(0)
                "hashCode" -> System.identityHashCode(proxy)
                "toString" -> "rails"
                else -> {
                    if (called.name == method) answer = arguments?.get(0)
                    done.countDown()
                    null
                }
            }
        }
        val receiving = Class.forName(type)
        ask(Proxy.newProxyInstance(receiving.classLoader, arrayOf(receiving), handler))
        return if (done.await(ANSWER_WITHIN_S, TimeUnit.SECONDS)) answer else null
    }

    private companion object {
        const val ANDROID_15 = 35
        const val MEASUREMENT = 1 // PowerMonitor.POWER_MONITOR_TYPE_MEASUREMENT
        const val UNAVAILABLE = -1L // PowerMonitorReadings.ENERGY_UNAVAILABLE
        const val CONSUMER = "java.util.function.Consumer"
        const val OUTCOME_RECEIVER = "android.os.OutcomeReceiver"
        const val ANSWER_WITHIN_S = 2L
        val DIRECT = Executor { it.run() }

        /** `[S10M_VDD_TPU]:TPU`, a rail and what it feeds. */
        fun railName(name: String): String = Regex("""^\[([^\]]+)\]""").find(name)?.groupValues?.get(1) ?: name
    }
}
