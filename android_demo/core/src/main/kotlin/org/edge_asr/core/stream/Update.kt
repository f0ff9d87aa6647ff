package org.edge_asr.core.stream

/** One word; the meaning of the fields is that of `Word` in edge_asr/ctc.py. */
data class Word(val text: String, val startS: Double, val endS: Double, val confidence: Float)

/** What a stream has cost so far; see `Counters` in edge_asr/recognizer.py. */
data class Counters(
    val frames: Long = 0,
    val keptFrames: Long = 0,
    val upperRuns: Long = 0,
    val steps: Long = 0,
    val audioS: Double = 0.0,
    /** Wall clock inside the program's step, and nothing else. */
    val computeS: Double = 0.0,
)

/** One step, for those who watch the gate at work. */
class StepInfo(
    /** Of the step's real frames: true where kept for the upper stack. */
    val keep: BooleanArray,
    val upperRan: Boolean,
    val waiting: Int,
    val latencyMs: Double,
    /** The threshold that it ran with: it may change while somebody speaks. */
    val threshold: Float,
)

/** What is known after some PCM. Final words will not change any more; partial ones follow them and may. */
class Update(
    /** All final words so far, separated by spaces. */
    val final: String,
    val partial: String,
    val changed: Boolean,
    val newWords: List<Word>,
    val partialWords: List<Word>,
    /** Steps this update took; none where the chunk is not yet full. */
    val newSteps: List<StepInfo>,
    val counters: Counters,
)
