package org.edge_asr.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import org.edge_asr.core.benchmark.Benchmark
import org.edge_asr.core.benchmark.Ending
import org.edge_asr.core.measure.BatteryMeter
import org.edge_asr.core.measure.RailMeter
import org.edge_asr.demo.benchmark.AndroidRuntime
import org.edge_asr.demo.benchmark.ShippedFiles
import org.edge_asr.demo.phone.AndroidPhone
import org.edge_asr.demo.phone.PhoneBattery
import org.edge_asr.demo.phone.PhoneThermal
import org.edge_asr.demo.phone.PowerRails
import org.edge_asr.demo.screen.BenchmarkScreen
import org.edge_asr.demo.screen.keepClearOfSystem

/**
 * Runs a benchmark that adb started, and shows how far it is. What it is asked and what it answers is in
 * edge_asr/profiling/targets/android.md. It measures as long as it is seen: when it is left it says so in `error.txt`.
 */
class BenchmarkActivity : Activity() {
    private val worker: ExecutorService = Executors.newSingleThreadExecutor { Thread(it, "benchmark") }
    private var running: Benchmark? = null
    private lateinit var screen: BenchmarkScreen

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        stayOn()
        setContentView(R.layout.benchmark)
        val root: View = findViewById(R.id.benchmark)
        keepClearOfSystem(root)
        screen = BenchmarkScreen(root)
        begin(intent)
    }

    /** Started once more without `-S`: what runs has been told by `onStop`, or is seen and goes on. */
    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        if (running == null) begin(intent)
    }

    override fun onStop() {
        super.onStop()
        // who looks away measures a phone that slows the app down, or none at all
        running?.stop(getString(R.string.benchmark_left))
    }

    override fun onDestroy() {
        running?.stop(getString(R.string.benchmark_left))
        worker.shutdown()
        super.onDestroy()
    }

    private fun begin(asked: Intent) {
        screen.showProgress(getString(R.string.benchmark_beginning))
        // the phone is asked on the worker: its rails answer on their own time
        val extras = extrasOf(asked)
        val battery = PhoneBattery(this)
        val runtime = AndroidRuntime(this)
        val phone = AndroidPhone(this, battery, PhoneThermal(this), runtime.version)
        val rails = PowerRails(this, battery)
        val benchmark = Benchmark(
            extras = extras,
            files = filesDir,
            phone = phone,
            runtime = runtime,
            meters = listOf(RailMeter(rails::names, phone::nowS, read = rails::sample), BatteryMeter(read = battery::sample)),
            own = ShippedFiles(this),
            activity = "$packageName/.${javaClass.simpleName}",
            watch = { line -> runOnUiThread { screen.showProgress(line) } },
        )
        running = benchmark
        worker.execute {
            val ending = benchmark.run()
            runOnUiThread { show(ending) }
        }
    }

    private fun show(ending: Ending) {
        running = null
        window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        when (ending) {
            is Ending.Reported -> screen.showReport(ending.report, ending.folder.name)
            is Ending.Failed -> screen.showFailure(ending.message)
        }
    }

    /** The flags, and not the newer methods, as these work from the first version that the app runs on. */
    @Suppress("DEPRECATION")
    private fun stayOn() = window.addFlags(
        WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON or
            WindowManager.LayoutParams.FLAG_SHOW_WHEN_LOCKED or
            WindowManager.LayoutParams.FLAG_TURN_SCREEN_ON,
    )

    @Suppress("DEPRECATION") // Bundle.get: an extra of the wrong type is to be told, and only this shows it
    private fun extrasOf(intent: Intent): Map<String, Any?> {
        val extras = intent.extras ?: return emptyMap()
        return extras.keySet().associateWith { extras.get(it) }
    }
}
