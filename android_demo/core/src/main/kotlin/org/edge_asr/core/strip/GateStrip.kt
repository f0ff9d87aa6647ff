package org.edge_asr.core.strip

/** Which of the last frames of a stream the gate kept. Immutable: made on one thread, drawn on another. */
class GateStrip private constructor(
    /** Frames since the start of the stream, those included that are no longer here. */
    val frames: Long,
    private val capacity: Int,
    private val last: BooleanArray,
) {
    /** An empty strip that remembers [capacity] frames. */
    constructor(capacity: Int) : this(0, capacity, BooleanArray(0))

    /** The oldest frame that is remembered. */
    val first: Long get() = frames - last.size

    /** Whether [frame], from [first] to [frames] - 1, went to the upper layers. */
    fun kept(frame: Long): Boolean = last[(frame - first).toInt()]

    /** This strip and the frames of one more step. */
    operator fun plus(keep: BooleanArray): GateStrip {
        val all = last + keep
        return GateStrip(frames + keep.size, capacity, all.copyOfRange(maxOf(0, all.size - capacity), all.size))
    }

    /** How many of the last [count] frames were kept, 0 to 1; null where there is none. */
    fun keptRatio(count: Int): Double? {
        val seen = minOf(count, last.size)
        if (seen == 0) return null
        return (last.size - seen until last.size).count { last[it] }.toDouble() / seen
    }
}
