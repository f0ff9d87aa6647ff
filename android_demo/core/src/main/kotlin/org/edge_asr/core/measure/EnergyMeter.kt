package org.edge_asr.core.measure

/** A source of energy figures: started before the passes, stopped after them, then asked for any window of time. */
interface EnergyMeter {
    /** `android:rails`, `android:battery`: as the Python meters are named. */
    val name: String

    /** What the figure is of. */
    val covers: String

    /** Why it cannot measure, and what to do; null where it can. */
    val problem: String?

    fun start()

    /** Never throws: what is missing is said when a window is asked for. */
    fun stop()

    /** After [stop]. Throws [NotCoveredException]. */
    fun window(span: Span): Window

    /** After [stop]: raw values and what they were taken for, in one line; null where there is nothing to say. */
    fun readings(): String?
}

/** Why the battery does not tell while the phone is plugged in, and what to do. */
const val PLUGGED =
    "the phone is fed over its cable: use adb over Wi-Fi (`adb tcpip 5555`, unplug, `adb connect HOST`) or measure outside"

private const val SHORTEST_GAP_LIMIT_S = 1.0
private const val GAP_LIMIT_INTERVALS = 5

/** The whole phone, by its battery's gauge; [read] gives a sample. */
class BatteryMeter(private val intervalS: Double = 1.0, private val read: () -> BatterySample?) : EnergyMeter {
    override val name = "android:battery"
    override val covers = "the whole phone, as its battery's gauge tells"
    private var sampling: Sampling<BatterySample>? = null
    private var samples: List<BatterySample> = emptyList()

    override val problem: String? by lazy {
        val now = read()
        when {
            now?.plugged == true -> PLUGGED
            now?.currentRaw == null || now.voltageRaw == null -> "the battery's gauge tells no current"
            else -> null
        }
    }

    override fun start() {
        sampling = Sampling(intervalS, read).apply { start() }
    }

    override fun stop() {
        samples = inOrder(sampling?.stop().orEmpty()) { it.timeS }
        sampling = null
    }

    override fun window(span: Span): Window {
        refusePlugged(samples.map { it.timeS to it.plugged }, span)
        val power = batteryPower(onBattery())
        // a gauge gives its last value again until it has another
        return integratePower(power.timesS, power.watts, span, maxGapS(intervalS), repeats = true)
    }

    override fun readings(): String? = try {
        batteryPower(onBattery()).meaning.inWords()
    } catch (reason: NotCoveredException) {
        reason.message
    }

    private fun onBattery() = samples.filter { it.plugged != true }
}

/** Energy counters of the phone's power rails at one moment. */
data class RailSample(
    /** Of the phone's monotonic clock: when the system read them, which is not when it was asked. */
    val timeS: Double,
    /** µW·s since the phone started, by rail. */
    val countsUws: Map<String, Long>,
    val plugged: Boolean?,
)

/**
 * The rails that the phone measures itself; [read] gives a sample. [rails] are the names it has, asked when first
 * needed: those of linear regulators are left out of the sum, as a switching one that is measured too may feed them.
 * [nowS]: of the phone's monotonic clock.
 */
class RailMeter(
    rails: () -> List<String>,
    private val nowS: () -> Double,
    private val intervalS: Double = 0.5,
    private val read: () -> RailSample?,
) : EnergyMeter {
    private val summed by lazy { rails().filterNot { LINEAR.containsMatchIn(it) } }
    override val name = "android:rails"
    override val covers get() = "the sum of ${summed.size} rails: ${summed.joinToString(", ")}"
    private var sampling: Sampling<RailSample>? = null
    private var samples: List<RailSample> = emptyList()

    override val problem: String? by lazy {
        when {
            summed.isEmpty() -> "the phone has no power rails that an app may read"
            read()?.plugged == true -> PLUGGED
            else -> null
        }
    }

    override fun start() {
        sampling = Sampling(intervalS, read).apply { start() }
    }

    override fun stop() {
        val stoppedS = nowS() // the system may give figures again that are older
        val taken = sampling?.stop { it.timeS >= stoppedS }.orEmpty()
        // the same time once more is no new reading
        val whole = taken.filter { it.countsUws.keys.containsAll(summed) }
        samples = inOrder(whole) { it.timeS }
        sampling = null
    }

    override fun window(span: Span): Window {
        refusePlugged(samples.map { it.timeS to it.plugged }, span)
        refuseFall()
        val timesS = samples.map { it.timeS }.toDoubleArray()
        val joules = samples.map { sample -> MICROWATT_SECOND * summed.sumOf { sample.countsUws.getValue(it) } }.toDoubleArray()
        return integrateCounter(timesS, joules, span, HIGHEST_RAIL_W * summed.size, MICROWATT_SECOND * summed.size, clockS = MILLISECOND)
    }

    /** Each rail by itself: the others may rise by more than one loses. Throws [NotCoveredException]. */
    private fun refuseFall() {
        for ((one, next) in samples.zipWithNext()) {
            val fallen = summed.firstOrNull { next.countsUws.getValue(it) < one.countsUws.getValue(it) } ?: continue
            throw NotCoveredException("the counter of rail $fallen fell: it was reset during the run")
        }
    }

    override fun readings(): String? {
        if (samples.size < 2) return "${samples.size} readings"
        val widestS = widestGapS(samples.map { it.timeS }.toDoubleArray(), Span(samples.first().timeS, samples.last().timeS))
        return "${samples.size} readings, at most ${"%.1f".format(null, widestS)} s apart; energy counters in µW·s, by difference"
    }

    private companion object {
        /** L2S_VDD_AOC_RET may be fed by S9S_VDD_AOC. */
        val LINEAR = Regex("""^\[?L\d+[A-Z]_""")
        const val HIGHEST_RAIL_W = 100.0 // no rail of a phone takes as much
        const val MICROWATT_SECOND = 1e-6
        const val MILLISECOND = 1e-3
    }
}

private fun maxGapS(intervalS: Double) = maxOf(GAP_LIMIT_INTERVALS * intervalS, SHORTEST_GAP_LIMIT_S)

/** Throws [NotCoveredException] where the charger was there in [span], or at the sample next to it on either side. */
private fun refusePlugged(samples: List<Pair<Double, Boolean?>>, span: Span) {
    val before = samples.lastOrNull { it.first <= span.beginS }
    val after = samples.firstOrNull { it.first >= span.endS }
    val within = samples.filter { it.first in span.beginS..span.endS }
    if ((within + listOfNotNull(before, after)).any { it.second == true }) throw NotCoveredException(PLUGGED)
}

/** Each time once. */
private fun <Sample> inOrder(samples: List<Sample>, timeS: (Sample) -> Double): List<Sample> {
    val kept = ArrayList<Sample>()
    for (sample in samples) if (kept.isEmpty() || timeS(sample) > timeS(kept.last())) kept.add(sample)
    return kept
}
