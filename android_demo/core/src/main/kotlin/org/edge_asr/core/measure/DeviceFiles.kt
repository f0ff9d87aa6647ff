package org.edge_asr.core.measure

import java.io.File
import java.io.IOException

/**
 * What the kernel's files tell an app; null where they are not there or are not for apps, as most are not on newer
 * Androids. Same meaning as in edge_asr/profiling/conditions.py.
 */
class DeviceFiles(private val root: File = File("/")) {
    /** Of all CPUs, each once. */
    fun governor(): String? {
        val found = cpus().mapNotNull { read("$CPUS/$it/cpufreq/scaling_governor") }.distinct()
        return found.joinToString(", ").ifEmpty { null }
    }

    /** In the order of the CPUs. */
    fun frequenciesMhz(): List<Double>? {
        val khz = cpus().mapNotNull { read("$CPUS/$it/cpufreq/scaling_cur_freq")?.toDoubleOrNull() }
        return khz.map { it / 1e3 }.ifEmpty { null }
    }

    /** By sensor; those of one name are numbered. Switched off ones say nothing, or nonsense. */
    fun temperaturesC(): Map<String, Double> {
        val found = LinkedHashMap<String, Double>()
        for (zone in names("$THERMAL", "thermal_zone")) {
            val milli = read("$THERMAL/$zone/temp")?.toDoubleOrNull() ?: continue
            if (milli <= -50_000 || milli >= 200_000) continue
            found[unused(read("$THERMAL/$zone/type") ?: "sensor", found.keys)] = milli / 1e3
        }
        return found
    }

    fun load1min(): Double? = read("proc/loadavg")?.substringBefore(' ')?.toDoubleOrNull()

    fun residentBytes(): Long? = statusBytes("VmRSS")

    /** The highest since the process began. */
    fun peakResidentBytes(): Long? = statusBytes("VmHWM")

    fun kernel(): String? {
        val parts = listOfNotNull(read("proc/sys/kernel/ostype"), read("proc/sys/kernel/osrelease"))
        return parts.joinToString(" ").ifEmpty { null }
    }

    private fun statusBytes(key: String): Long? {
        val line = read("proc/self/status")?.lineSequence()?.firstOrNull { it.startsWith("$key:") } ?: return null
        return line.split(Regex("\\s+")).getOrNull(1)?.toLongOrNull()?.times(KIB)
    }

    private fun cpus(): List<String> = names(CPUS, "cpu")

    /** Folders that are called [prefix] and a number, in the order of the numbers. */
    private fun names(folder: String, prefix: String): List<String> {
        val numbers = File(root, folder).list().orEmpty().mapNotNull { name ->
            name.takeIf { it.startsWith(prefix) }?.removePrefix(prefix)?.toIntOrNull()
        }
        return numbers.sorted().map { prefix + it }
    }

    private fun read(path: String): String? =
        try {
            File(root, path).readText().trim().ifEmpty { null }
        } catch (_: IOException) {
            null
        } catch (_: SecurityException) {
            null
        }

    private companion object {
        const val CPUS = "sys/devices/system/cpu"
        const val THERMAL = "sys/class/thermal"
        const val KIB = 1_024L

        fun unused(name: String, taken: Set<String>): String =
            if (name !in taken) name else generateSequence(2) { it + 1 }.map { "$name $it" }.first { it !in taken }
    }
}
