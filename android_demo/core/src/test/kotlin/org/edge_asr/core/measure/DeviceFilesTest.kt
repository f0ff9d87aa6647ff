package org.edge_asr.core.measure

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class DeviceFilesTest {
    @get:Rule
    val root = TemporaryFolder()

    private fun put(path: String, text: String) = File(root.root, path).apply { parentFile!!.mkdirs() }.writeText(text)

    @Test
    fun `what a phone shows is read`() {
        for (cpu in listOf(0, 1, 10, 2)) {
            put("sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor", if (cpu < 2) "schedutil\n" else "performance\n")
            put("sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_cur_freq", "${1_000_000 + cpu}\n")
        }
        put("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "other")
        put("sys/class/thermal/thermal_zone0/type", "cpu\n")
        put("sys/class/thermal/thermal_zone0/temp", "41500\n")
        put("sys/class/thermal/thermal_zone1/type", "cpu\n")
        put("sys/class/thermal/thermal_zone1/temp", "42000\n")
        put("sys/class/thermal/thermal_zone2/temp", "-274000\n")
        put("proc/loadavg", "1.25 0.5 0.1 1/100 1\n")
        put("proc/self/status", "Name:\tdemo\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n")
        val files = DeviceFiles(root.root)
        assertEquals("schedutil, performance", files.governor())
        assertEquals(listOf(1000.0, 1000.001, 1000.002, 1000.01), files.frequenciesMhz())
        assertEquals(mapOf("cpu" to 41.5, "cpu 2" to 42.0), files.temperaturesC())
        assertEquals(1.25, files.load1min()!!, 0.0)
        assertEquals(2_097_152L, files.peakResidentBytes())
        assertEquals(1_048_576L, files.residentBytes())
    }

    @Test
    fun `what a phone hides is null`() {
        val files = DeviceFiles(root.root)
        put("proc/self/status", "Name:\tdemo\n")
        assertNull(files.governor())
        assertNull(files.frequenciesMhz())
        assertEquals(emptyMap<String, Double>(), files.temperaturesC())
        assertNull(files.load1min())
        assertNull(files.residentBytes())
        assertNull(files.kernel())
    }
}
