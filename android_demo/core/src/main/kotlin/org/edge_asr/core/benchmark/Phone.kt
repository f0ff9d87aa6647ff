package org.edge_asr.core.benchmark

import java.io.File
import org.edge_asr.core.program.Program

/** What a benchmark asks of the machine that it runs on. Figures that it does not tell are null. */
interface Phone {
    /** Monotonic, with the same zero as the energy meters' samples. */
    fun nowS(): Double

    /** ISO 8601. */
    fun utcNow(): String

    /** Wakes up early where another thread interrupts. */
    fun sleep(seconds: Double)

    /** Time means nothing there. */
    val emulated: Boolean
    val machine: String
    val cpu: String
    val cores: Int
    val system: String
    val versions: Map<String, String>

    fun snapshot(): Snapshot

    /** Whether something outside feeds it. */
    fun plugged(): Boolean?

    /** Of this process, so far. */
    fun cpuS(): Double?

    /** Of this process, what can be given back being given back. */
    fun residentBytes(): Long?
}

/** The runtime. */
interface Runtime {
    /** `executorch 1.5.1`. */
    val version: String

    /** Throws `ProgramException`. */
    fun open(model: File, threads: Int): Program

    /** In a process that was not there before and will not be there after. Throws [BenchmarkException]. */
    fun coldStart(model: File, threads: Int, threshold: Float, recordings: List<Recording>): ColdStart
}

/** What a fresh process saw. */
data class ColdStart(
    /** File checked, mapped, weights packed. */
    val loadMs: Double,
    /** From its start to the first step's result; null where its start is not known. */
    val firstResultMs: Double?,
    val firstStepMs: Double,
    /** At its end. */
    val pssBytes: Long?,
    val peakResidentBytes: Long?,
)
