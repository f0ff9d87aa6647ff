package org.edge_asr.core.audio

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.sin
import kotlin.math.sqrt

/**
 * Changes the sample rate of a recording, block by block: a sinc filter under a Kaiser window, one row of weights for each
 * phase between two samples. It passes up to 0.85 of the lower Nyquist frequency unchanged, and lets nothing of what lies
 * beyond the lower one through (below -80 dB). The first sample stays where it is: no delay.
 */
class Resampler(fromHz: Int, toHz: Int) {
    private val up: Int // `up` samples come out for each `down` that go in
    private val down: Int
    private val phases: Int
    private val reach: Int // samples on either side of an output's place that count
    private val weights: Array<FloatArray> // [phases + 1, 2 * reach]
    private var held: FloatArray // samples from `heldFrom` on
    private var heldFrom: Long
    private var heldCount: Int
    private var taken = 0L
    private var given = 0L

    init {
        require(fromHz > 0 && toHz > 0) { "a rate of $fromHz or $toHz samples a second" }
        val common = greatestCommonDivisor(fromHz, toHz)
        up = toHz / common
        down = fromHz / common
        phases = if (up <= MOST_PHASES) up else MOST_PHASES
        val cutoff = minOf(1.0, toHz.toDouble() / fromHz) // as a part of the input's Nyquist frequency
        reach = ceil(ZERO_CROSSINGS / cutoff).toInt()
        weights = Array(phases + 1) { weightsOfPhase(it.toDouble() / phases, cutoff) }
        heldFrom = -reach.toLong() // silence before the beginning
        heldCount = reach
        held = FloatArray(reach)
    }

    /** What comes out for the first [count] samples of [block]. */
    fun process(block: FloatArray, count: Int = block.size): FloatArray {
        require(count in 0..block.size) { "asked to take $count samples of an array of ${block.size}" }
        hold(block, count)
        taken += count
        return give { place -> place + reach < taken }
    }

    /** What is left when the recording has ended. In all there are as many seconds as went in. */
    fun finish(): FloatArray {
        hold(FloatArray(reach + 1), reach + 1) // silence after the end
        return give { place -> place < taken }
    }

    private fun hold(block: FloatArray, count: Int) {
        val first = given * down / up - reach + 1 // the earliest sample that still counts
        val spare = (first - heldFrom).coerceIn(0, heldCount.toLong()).toInt()
        val kept = heldCount - spare
        val room = if (kept + count <= held.size) held else FloatArray(kept + count)
        held.copyInto(room, 0, spare, heldCount)
        block.copyInto(room, kept, 0, count)
        held = room
        heldFrom += spare
        heldCount = kept + count
    }

    private inline fun give(ready: (Long) -> Boolean): FloatArray {
        var out = FloatArray((heldCount.toLong() * up / down + 1).toInt())
        var count = 0
        while (ready(given * down / up)) {
            if (count == out.size) out = out.copyOf(2 * count + 1)
            out[count++] = output(given * down / up, given * down % up)
            given += 1
        }
        return out.copyOf(count)
    }

    /** The sample at [place] and [remainder] / `up` of the way to the next. */
    private fun output(place: Long, remainder: Long): Float {
        val exact = remainder * phases
        val phase = (exact / up).toInt()
        val between = (exact % up).toDouble() / up
        val from = (place - reach + 1 - heldFrom).toInt()
        val sample = dot(weights[phase], from)
        return (if (between == 0.0) sample else sample + between * (dot(weights[phase + 1], from) - sample)).toFloat()
    }

    private fun dot(row: FloatArray, from: Int): Double {
        var sum = 0.0
        for (at in row.indices) sum += row[at].toDouble() * held[from + at]
        return sum
    }

    /** Of the samples around a place [fraction] of the way between two; they sum to 1, so that silence stays where it was. */
    private fun weightsOfPhase(fraction: Double, cutoff: Double): FloatArray {
        val row = DoubleArray(2 * reach) {
            val distance = it - reach + 1 - fraction // in samples of the input
            val position = distance / (ZERO_CROSSINGS / cutoff)
            if (abs(position) >= 1) 0.0 else sinc(distance * cutoff * MIDDLE) * bessel(KAISER * sqrt(1 - position * position))
        }
        val sum = row.sum()
        return FloatArray(row.size) { (row[it] / sum).toFloat() }
    }

    private companion object {
        const val ZERO_CROSSINGS = 36 // on either side, of a filter at the lower Nyquist frequency
        const val KAISER = 8.0 // about 80 dB
        const val MIDDLE = 0.925 // of the slope, which ends at the lower Nyquist frequency
        const val MOST_PHASES = 1_024 // where a ratio needs more, outputs lie between two of them
    }
}

private tailrec fun greatestCommonDivisor(a: Int, b: Int): Int = if (b == 0) a else greatestCommonDivisor(b, a % b)

private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)

/** The modified Bessel function of order zero, by its series. */
private fun bessel(x: Double): Double {
    var sum = 1.0
    var term = 1.0
    var n = 1
    while (term > sum * 1e-12) {
        term *= (x / 2 / n) * (x / 2 / n)
        sum += term
        n += 1
    }
    return sum
}
