package org.edge_asr.demo.phone

import android.os.Debug
import android.os.Process
import android.os.SystemClock
import org.edge_asr.core.benchmark.FreshProcess
import org.edge_asr.core.measure.DeviceFiles

/** What the present process tells of itself. */
class PhoneProcess(private val files: DeviceFiles = DeviceFiles()) : FreshProcess {
    override fun sinceStartMs(): Double? {
        // by name, as the API that the tests compile against is older (Android 7 has it)
        val startedMs = attempt { Process::class.java.getMethod("getStartElapsedRealtime").invoke(null) as Long? }
        return startedMs?.let { 1e-6 * SystemClock.elapsedRealtimeNanos() - it }
    }

    override fun pssBytes(): Long? = attempt { Debug.getPss() }?.takeIf { it > 0 }?.times(KIB)

    override fun peakResidentBytes(): Long? = files.peakResidentBytes()

    fun residentBytes(): Long? = files.residentBytes()

    fun cpuS(): Double = 1e-3 * Process.getElapsedCpuTime()

    private companion object {
        const val KIB = 1_024L
    }
}
