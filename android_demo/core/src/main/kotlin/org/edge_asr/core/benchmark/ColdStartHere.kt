package org.edge_asr.core.benchmark

import org.edge_asr.core.program.Program

/** What the present process can tell of itself, for [coldStartHere]. */
interface FreshProcess {
    /** Since it was started; null where that is not known. */
    fun sinceStartMs(): Double?

    fun pssBytes(): Long?

    /** The highest since it was started. */
    fun peakResidentBytes(): Long?
}

/** Loads with [open], and hears [recordings]: the first thing that a fresh [process] does. Throws what those throw. */
fun coldStartHere(
    process: FreshProcess,
    open: () -> Program,
    threshold: Float,
    recordings: List<Recording>,
): ColdStart {
    val loadStartedNs = System.nanoTime()
    open().use { program ->
        val loadMs = (System.nanoTime() - loadStartedNs) / 1e6
        val watched = FirstStep(program, process)
        val listener = Listener(watched, threshold)
        val heard = recordings.map { listener.hear(it.samples()) }
        val firstStepMs = heard.first().stepMs.firstOrNull()
            ?: throw BenchmarkException("${recordings.first().name}: no speech fits into it: give a longer recording")
        return ColdStart(loadMs, watched.resultAtMs, firstStepMs, process.pssBytes(), process.peakResidentBytes())
    }
}

/** Notes when the first step was done. */
private class FirstStep(private val program: Program, private val process: FreshProcess) : Program by program {
    var resultAtMs: Double? = null
        private set
    private var done = false

    override fun step(pcm: FloatArray, frames: Int, threshold: Float, flush: Boolean) =
        program.step(pcm, frames, threshold, flush).also {
            if (!done) resultAtMs = process.sinceStartMs()
            done = true
        }
}
