package org.edge_asr.core.benchmark

import java.io.File
import org.edge_asr.core.measure.Span

/** One pass over the recordings, by a program that was warm when it began. */
class SeenPass(
    /** Position in the sequence of all passes. */
    val order: Int,
    val span: Span,
    val audioS: Double,
    val computeS: Double,
    val cpuS: Double?,
    val stepMs: DoubleArray,
    val stepUpper: BooleanArray,
)

/** One setting, and what was seen of it so far. */
class Seen(val setting: Setting, val model: File, val listener: Listener) {
    val name: String get() = setting.name
    val cold = ArrayList<ColdStart>()

    /** Every recording, as heard while warming up. */
    var once: List<Heard> = emptyList()
    val firstPartialMs = ArrayList<Double>()
    val endOfSpeechMs = ArrayList<Double>()
    var growthBytes: Long? = null
    val passes = ArrayList<SeenPass>()
    var textsDiffer = false

    /** Of each pass. */
    val computeS: DoubleArray get() = DoubleArray(passes.size) { passes[it].computeS }

    /** Of all passes; of those steps in which the upper layers ran or did not, where [upper] says which. */
    fun stepMs(upper: Boolean? = null): DoubleArray {
        val found = ArrayList<Double>()
        for (pass in passes) {
            for (step in pass.stepMs.indices) if (upper == null || pass.stepUpper[step] == upper) found.add(pass.stepMs[step])
        }
        return found.toDoubleArray()
    }
}
