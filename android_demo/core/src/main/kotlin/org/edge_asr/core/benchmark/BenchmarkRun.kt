package org.edge_asr.core.benchmark

import java.io.File
import kotlin.math.ceil
import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.Span
import org.edge_asr.core.program.Program

/** How a benchmark is paced; as in edge_asr/profiling/session.py where nothing else is said. */
data class Pace(
    /** Fresh processes of each setting. */
    val coldStarts: Int = 5,
    /** Of compute that a pass takes at least; short recordings are heard again and again. */
    val passS: Double = 0.5,
    /** The same where energy is measured. Longer than the profiler's: a phone's gauge has a new value every second at best. */
    val meteredPassS: Double = 10.0,
    /** Before and after the passes, where energy is measured. */
    val idleS: Double = 10.0,
)

/** What a benchmark found: the report, and each setting's text of each recording. */
class Outcome(val report: Report, val heard: List<HeardText>)

data class HeardText(val setting: String, val audio: String, val text: String)

/**
 * One benchmark from beginning to end: cold starts, warm-up, interleaved passes, energy, conditions. The first setting is
 * what the others are compared with. [tell] gets a line for each stage, and one a minute where a stage is long.
 */
class BenchmarkRun(
    private val plan: BenchmarkPlan,
    private val models: List<File>,
    private val recordings: RecordedSamples,
    private val phone: Phone,
    private val runtime: Runtime,
    private val meters: List<EnergyMeter>,
    private val command: String,
    private val pace: Pace = Pace(),
    private val tell: (String) -> Unit,
) {
    @Volatile
    private var stopped: String? = null
    private val seen = ArrayList<Seen>()
    private val idle = ArrayList<Span>()
    private var traversals = 1
    private var throttled = false
    private var stage = ""
    private var stageS = 0.0
    private var toldS = 0.0
    private val metered = meters.any { it.problem == null }

    /** From any thread: [run] ends soon, with [reason]. */
    fun stop(reason: String) {
        stopped = reason
    }

    /** Throws [BenchmarkException] and `ProgramException`. */
    fun run(): Outcome {
        begin("reading the recordings")
        val audioS = recordings.audioS
        if (audioS <= 0) throw BenchmarkException("the recordings are empty: give some with speech")
        val sha256 = recordings.sha256
        val programs = ArrayList<Program>()
        try {
            for (model in models) programs.add(load(model))
            val before = phone.snapshot()
            val charging = phone.plugged()
            startCold(audioS)
            for (each in seen) warmUp(each, audioS)
            chooseTraversals()
            pass(audioS)
            begin("writing the report")
            return outcome(before, charging, sha256)
        } finally {
            programs.forEach { it.close() }
        }
    }

    // --- stages

    /** And the settings that are made of it. */
    private fun load(model: File): Program {
        begin("loading ${model.name}")
        val program = runtime.open(model, plan.threads)
        val metadata = program.metadata
        val digest = sha256(model)
        val thresholds = plan.thresholds ?: listOf(metadata.defaultThreshold.toString().toDouble(), 1.0).distinct()
        val prefix = if (models.size > 1) "${model.nameWithoutExtension} " else ""
        for (threshold in thresholds) {
            val name = prefix + gateName(threshold)
            val version = runtime.version
            val setting = Setting(name, RUNTIME, version, model.name, digest, metadata.precision, threshold)
            seen.add(Seen(setting, model, Listener(program, threshold.toFloat())))
        }
        return program
    }

    private fun startCold(audioS: Double) {
        val count = maxOf(1, (COLD_AUDIO_S / (audioS / recordings.size)).toInt())
        val first = recordings.recordings.take(count)
        for (number in 0 until pace.coldStarts) {
            for (each in turn(number)) {
                begin("cold start ${number + 1} of ${pace.coldStarts}, ${each.name}")
                each.cold.add(runtime.coldStart(each.model, plan.threads, each.setting.threshold.toFloat(), first))
            }
        }
    }

    /** Texts, latencies of the first and of the last text, and whether memory grows: not part of any pass. */
    private fun warmUp(each: Seen, audioS: Double) {
        begin("warming up, ${each.name}")
        hearLeadIn(each, audioS)
        val times = maxOf(2, ceil(FEWEST_HEARD.toDouble() / recordings.size).toInt())
        val residentBytes = ArrayList<Long?>()
        for (time in 0 until times) {
            val heard = recordings.recordings.map { hear(each, it) }
            if (time == 0) each.once = heard
            each.firstPartialMs += heard.mapNotNull { it.firstPartialMs }
            each.endOfSpeechMs += heard.map { it.endOfSpeechMs }
            if (time < 2) residentBytes.add(phone.residentBytes())
        }
        val (early, late) = residentBytes
        each.growthBytes = if (early == null || late == null) null else late - early
    }

    /** Enough for the fastest setting's pass to be as long as it should. */
    private fun chooseTraversals() {
        val leastS = if (metered) pace.meteredPassS else pace.passS
        val fastestS = seen.minOf { each -> each.once.sumOf { it.computeS } }
        val wanted = ceil(leastS / maxOf(fastestS, 1e-6)).toLong().coerceAtLeast(1)
        traversals = if (phone.emulated) 1 else minOf(TRAVERSALS_LIMIT, wanted).toInt()
    }

    private fun pass(audioS: Double) {
        val running = meters.filter { it.problem == null }
        running.forEach { it.start() }
        try {
            rest("idle before, for the energy")
            for (number in 0 until plan.passes) {
                for (each in turn(number)) {
                    if (plan.coolDownS > 0) pause(plan.coolDownS, "cooling down before pass ${number + 1}, ${each.name}")
                    begin("pass ${number + 1} of ${plan.passes}, ${each.name}")
                    each.passes.add(onePass(each, audioS))
                    throttled = throttled || phone.snapshot().throttled == true
                }
            }
            rest("idle after, for the energy")
        } finally {
            running.forEach { it.stop() }
        }
    }

    private fun onePass(each: Seen, audioS: Double): SeenPass {
        hearLeadIn(each, audioS)
        val heard = ArrayList<Heard>()
        val cpuBeforeS = phone.cpuS()
        val beginS = phone.nowS()
        for (time in 0 until traversals) for (recording in recordings.recordings) heard.add(hear(each, recording))
        val span = Span(beginS, phone.nowS())
        val cpuAfterS = phone.cpuS()
        each.textsDiffer = each.textsDiffer ||
            heard.indices.any { heard[it].text != each.once[it % each.once.size].text }
        return SeenPass(
            order = seen.sumOf { it.passes.size },
            span = span,
            audioS = heard.sumOf { it.audioS },
            computeS = heard.sumOf { it.computeS },
            cpuS = if (cpuBeforeS == null || cpuAfterS == null) null else cpuAfterS - cpuBeforeS,
            stepMs = heard.flatMap { it.stepMs.asList() }.toDoubleArray(),
            stepUpper = heard.flatMap { it.stepUpper.asList() }.toBooleanArray(),
        )
    }

    /** Audio that a program hears before what follows counts: as many recordings as that is on average. */
    private fun hearLeadIn(each: Seen, audioS: Double) {
        val count = ceil(LEAD_IN_S / (audioS / recordings.size)).toLong().coerceIn(1, TRAVERSALS_LIMIT).toInt()
        for (number in 0 until count) hear(each, recordings.recordings[number % recordings.size])
    }

    private fun hear(each: Seen, recording: Recording): Heard = each.listener.hear(recordings.of(recording), ::goOn)

    private fun rest(what: String) {
        if (!metered) return
        val beginS = phone.nowS()
        pause(pace.idleS, what)
        idle.add(Span(beginS, phone.nowS()))
    }

    // --- the pace

    /** Every other round is the other way round, so that what drifts meets all alike. */
    private fun turn(number: Int): List<Seen> = if (number % 2 == 0) seen else seen.asReversed()

    private fun pause(seconds: Double, what: String) {
        begin(what)
        val untilS = phone.nowS() + seconds
        while (true) {
            val leftS = untilS - phone.nowS()
            if (leftS <= 0) return
            phone.sleep(minOf(leftS, LOOK_EVERY_S))
            goOn()
        }
    }

    private fun begin(what: String) {
        stage = what
        stageS = phone.nowS()
        toldS = stageS
        tell(what)
        goOn()
    }

    /** Throws [BenchmarkException] where it was stopped; tells that something still goes on. */
    private fun goOn() {
        stopped?.let { throw BenchmarkException(it) }
        val nowS = phone.nowS()
        if (nowS - toldS < TELL_EVERY_S) return
        toldS = nowS
        tell("$stage, since ${(nowS - stageS).toInt()} s")
    }

    // --- the report

    private fun outcome(before: Snapshot, charging: Boolean?, sha256: String): Outcome {
        val after = phone.snapshot().let { if (throttled) it.copy(throttled = true) else it }
        val passAudioS = seen.first().passes.first().audioS
        val spans = seen.associate { each -> each.name to each.passes.map { it.span } }
        val energy = chooseEnergy(meters, spans, idle, passAudioS)
        val throttledEver = before.throttled == true || after.throttled == true
        val report = Report(
            createdUtc = phone.utcNow(),
            command = command,
            conditions = conditions(before, after, charging == true || phone.plugged() == true, charging == null),
            protocol = protocol(sha256),
            results = seen.map { resultOf(it, energy.bySetting.getValue(it.name), phone.emulated) },
            ratios = if (phone.emulated) emptyList() else compare(seen, energy.bySetting),
            verdict = judge(seen.associate { it.name to it.computeS }, phone.emulated, throttledEver),
            notes = notes() + energy.notes,
        )
        return Outcome(report, seen.flatMap(::heardTexts))
    }

    private fun heardTexts(each: Seen): List<HeardText> =
        each.once.zip(recordings.recordings) { heard, recording -> HeardText(each.name, recording.name, heard.text) }

    private fun conditions(before: Snapshot, after: Snapshot, plugged: Boolean, unknown: Boolean) = Conditions(
        emulated = phone.emulated,
        machine = phone.machine,
        cpu = phone.cpu,
        cores = phone.cores,
        system = phone.system,
        threads = plan.threads,
        charging = if (unknown) null else plugged,
        before = before,
        after = after,
        versions = phone.versions,
    )

    private fun protocol(sha256: String) = Protocol(
        warmUpPasses = 1,
        passes = plan.passes,
        traversals = traversals,
        coldStarts = pace.coldStarts,
        interleaved = seen.size > 1,
        coolDownS = plan.coolDownS,
        recordings = recordings.size,
        recordingsSha256 = sha256,
    )

    private fun notes(): List<String> {
        val differing = seen.filter { it.textsDiffer }.map { "${it.name}: the text was not the same in every pass" }
        return differing + (
            "cold starts are fresh processes of the app with the files in the page cache; all passes are in one process, " +
                "and each begins after ${LEAD_IN_S.toInt()} s of audio; percentiles are by nearest rank"
            )
    }

    private companion object {
        const val LEAD_IN_S = 6.0
        const val COLD_AUDIO_S = 30.0
        const val FEWEST_HEARD = 20
        const val TRAVERSALS_LIMIT = 500L
        const val LOOK_EVERY_S = 1.0
        const val TELL_EVERY_S = 60.0
    }
}
