"""One measurement from beginning to end: fresh processes, warm-up, interleaved passes, energy, conditions.

What was measured so far can be asked for at any time, so that an interruption loses nothing.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling import stages
from edge_asr.profiling.conditions import Reading, describe_device, read_device
from edge_asr.profiling.contenders import Contender, Gated, Work, check_unique
from edge_asr.profiling.meters.energy import PassEnergy, energy_of, not_measured
from edge_asr.profiling.meters.protocol import Meter, Span
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import Conditions, MeasurementProtocol, Report, Snapshot
from edge_asr.profiling.results import Extras, compare, result_of
from edge_asr.profiling.seen import Seen, SeenPass, SeenRecording, by_recording, end_of_speech_ms, first_partial_ms
from edge_asr.profiling.targets.local import NAME as LOCAL
from edge_asr.profiling.targets.protocol import Target
from edge_asr.profiling.verdict import judge

LEAD_IN_S = 6.0  # of audio that a process hears before its pass counts
COLD_AUDIO_S = 30.0  # that a fresh process hears, at most, before its memory is read
FEWEST_HEARD = 20  # recordings, some of them more than once, for the latencies of first and last text
TRAVERSALS_LIMIT = 500
LOOK_AROUND_S = 1.0  # how long others' use of the CPUs is watched before anything is measured


@dataclass(frozen=True)
class Plan:
    """How often, and on what."""

    passes: int = 10  # of each setting
    cold_starts: int = 5  # fresh processes of each setting
    pass_s: float = 0.5  # of compute that a pass takes at least; short recordings are heard again and again
    metered_pass_s: float = 5.0  # the same where energy is measured, as meters need time
    idle_s: float = 5.0  # before and after the passes, where energy is measured
    cool_down_s: float = 0.0  # before each pass
    threads: int = 1
    cpus: str | None = None
    stages: bool = True  # trace a few steps, where ExecuTorch's Python runtime is installed
    operators: bool = False  # report them by operator too


class ProgressDisplay(Protocol):
    """What a person sees meanwhile."""

    def expect(self, total: float) -> None: ...

    def stage(self, text: str) -> None: ...

    def advance(self, amount: float) -> None: ...


class NoProgress:
    def expect(self, total: float) -> None:
        pass

    def stage(self, text: str) -> None:
        pass

    def advance(self, amount: float) -> None:
        pass


class Session:
    """The target is entered and prepared. The first contender is what the others are compared with."""

    def __init__(
        self,
        target: Target,
        contenders: Sequence[Contender],
        recordings: Recordings,
        plan: Plan,
        meter: Meter,
        command: str,
        progress: ProgressDisplay | None = None,
    ) -> None:
        check_unique(contenders)
        self.target = target
        self.recordings = recordings
        self.plan = plan
        self.meter = meter
        self.command = command
        self.progress = progress or NoProgress()
        self.seen = [Seen(contender) for contender in contenders]
        self.notes: list[str] = []
        self._metered = not meter.problem
        self._meter_runs = False
        self._energy: dict[str, PassEnergy] = {}
        self._idle: list[Span] = []
        self._traversals = 1
        self._runners_cpu_s = 0.0  # of processes on the target
        self._before: Reading | None = None
        self._conditions: Conditions | None = None
        self._extras: dict[str, Extras] = {}
        self._slowed_by: list[float] = []  # tracing, a setting each
        self._lead_in = lead_in(recordings)

    def run(self) -> Generator[int, None, None]:
        """Measure. Yields the number of whole rounds after each: one pass of every setting. Raises EdgeAsrError."""
        count = len(self.seen)
        self.progress.expect(count * (self.plan.cold_starts + 1 + self.plan.passes))
        self._look_around()
        self._start_cold()
        for seen in self.seen:
            self.progress.stage(f"warming up, {seen.name}")
            self._warm_up(seen)
            self.progress.advance(1)
        self._choose_traversals()
        try:
            self._start_meter()
            for number in range(self.plan.passes):
                turn = self.seen if number % 2 == 0 else self.seen[::-1]
                for seen in turn:
                    self.progress.stage(f"pass {number + 1} of {self.plan.passes}, {seen.name}")
                    time.sleep(self.plan.cool_down_s)
                    seen.passes.append(self._pass(seen))
                    self.progress.advance(1)
                yield number + 1
            self._rest("idle after")
        finally:
            self._stop_meter()
        self._trace()

    def report(self, unfinished: str | None = None) -> Report | None:
        """Of what was measured so far; `unfinished` says why there is no more. None before the first pass of all."""
        measured = [seen for seen in self.seen if seen.passes]
        if not measured or self._before is None:
            return None
        assert self._conditions is not None
        conditions = replace(self._conditions, after=self._look_again(self._before))
        texts = self.recordings.texts
        extras = {seen.name: self._extras.get(seen.name, Extras(None, None)) for seen in measured}
        energies = {seen.name: self._energy_of(seen) for seen in measured}
        emulated = self.target.emulated
        results = [result_of(seen, texts, energies[seen.name], extras[seen.name], emulated) for seen in measured]
        ratios, wer_changes = compare(measured, texts, energies, emulated)
        return Report(
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            command=self.command,
            conditions=conditions,
            protocol=MeasurementProtocol(
                warm_up_passes=1,
                passes=min(len(seen.passes) for seen in measured),
                traversals=self._traversals,
                cold_starts=min(len(seen.cold) for seen in measured),
                interleaved=len(measured) > 1,
                cool_down_s=self.plan.cool_down_s,
                recordings=len(self.recordings),
                recordings_sha256=self.recordings.sha256,
                references_sha256=self.recordings.references_sha256,
            ),
            results=tuple(results),
            ratios=tuple(ratios),
            wer_changes=tuple(wer_changes),
            verdict=judge(measured, conditions, unfinished),
            notes=(*self.notes, *self._notes_on(measured)),
        )

    # --- stages of a measurement

    def _look_around(self) -> None:
        self.progress.stage("looking at the device")
        first = read_device(self.target.files, self._ours_s())
        time.sleep(LOOK_AROUND_S)
        self._before = read_device(self.target.files, self._ours_s(), first)
        before = self._before.snapshot
        self._conditions = describe_device(self.target, self.plan.threads, self.plan.cpus, before, before)

    def _look_again(self, before: Reading) -> Snapshot:
        """A device that has gone tells nothing."""
        try:
            return read_device(self.target.files, self._ours_s(), before).snapshot
        except (EdgeAsrError, OSError):
            return Snapshot(None, None, None, None, None, None)

    def _start_cold(self) -> None:
        heard = within(self.recordings, COLD_AUDIO_S)
        for number in range(self.plan.cold_starts):
            for seen in self.seen if number % 2 == 0 else self.seen[::-1]:
                self.progress.stage(f"cold start {number + 1} of {self.plan.cold_starts}, {seen.name}")
                for item in seen.contender.run(Work(heard, bench=True)):
                    seen.cold.append(item)
                    self._runners_cpu_s += item.get("cpu_s", 0.0)
                self.progress.advance(1)

    def _warm_up(self, seen: Seen) -> None:
        """Texts, latencies of the first and of the last text, and whether memory grows: not part of any pass."""
        waves = self.recordings.waves
        times = max(2, math.ceil(FEWEST_HEARD / len(waves)))
        work = Work((*self._lead_in, *waves * times), steps=True)
        everything = list(by_recording(seen.contender.run(work)))
        check_count(seen, len(everything), work)
        counted = everything[len(self._lead_in) :]
        heard = [SeenRecording.of(item) for _, item in counted]
        seen.once = tuple(heard[: len(waves)])
        for updates, _ in counted:
            seen.first_partial_ms += some(first_partial_ms(updates))
            seen.end_of_speech_ms += some(end_of_speech_ms(updates))
        early, late = heard[len(waves) - 1].resident_bytes, heard[2 * len(waves) - 1].resident_bytes
        seen.growth_bytes = None if early is None or late is None else late - early
        self._runners_cpu_s += heard[-1].cpu_s or 0.0

    def _choose_traversals(self) -> None:
        """Enough for the fastest setting's pass to be as long as it should. Emulated time means nothing."""
        least_s = self.plan.metered_pass_s if self._metered else self.plan.pass_s
        fastest_s = min(sum(item.compute_s for item in seen.once) for seen in self.seen)
        wanted = max(1, math.ceil(least_s / max(fastest_s, 1e-6)))
        self._traversals = 1 if self.target.emulated else min(TRAVERSALS_LIMIT, wanted)

    def _pass(self, seen: Seen) -> SeenPass:
        work = Work((*self._lead_in, *self.recordings.waves * self._traversals))
        heard: list[SeenRecording] = []
        begin_s = 0.0
        for item in seen.contender.run(work):
            heard.append(SeenRecording.of(item))
            if len(heard) == len(self._lead_in):
                begin_s = self.target.clock_s()
        end_s = self.target.clock_s()
        check_count(seen, len(heard), work)
        before, counted = heard[: len(self._lead_in)], heard[len(self._lead_in) :]
        self._runners_cpu_s += heard[-1].cpu_s or 0.0
        seen.texts_differ |= any(
            item.text != seen.once[number % len(seen.once)].text for number, item in enumerate(counted)
        )
        used_s = None
        if before[-1].cpu_s is not None and counted[-1].cpu_s is not None:
            used_s = counted[-1].cpu_s - before[-1].cpu_s
        order = sum(len(each.passes) for each in self.seen)
        return SeenPass(order, tuple(counted), Span(begin_s, end_s), used_s)

    # --- energy

    def _start_meter(self) -> None:
        if self._metered:
            self.meter.start(self.target.files)
            self._meter_runs = True
            self._rest("idle before")

    def _rest(self, what: str) -> None:
        if self._meter_runs:
            self.progress.stage(f"{what}, for the energy")
            begin_s = self.target.clock_s()
            time.sleep(self.plan.idle_s)
            self._idle.append(Span(begin_s, self.target.clock_s()))

    def _stop_meter(self) -> None:
        """And ask it for every pass."""
        if not self._meter_runs:
            return
        self._meter_runs = False
        self.progress.stage("reading the meter")
        self.meter.stop()
        spans = {seen.name: [each.span for each in seen.passes] for seen in self.seen}
        try:
            self.meter.align([span for each in spans.values() for span in each], self._idle)
        except EdgeAsrError as error:
            self._energy = {name: not_measured(str(error), len(each)) for name, each in spans.items()}
            return
        for seen in self.seen:
            if seen.passes:
                audio_s = seen.passes[0].audio_s
                self._energy[seen.name] = energy_of(self.meter, spans[seen.name], self._idle, audio_s)

    def _energy_of(self, seen: Seen) -> PassEnergy:
        running = "the meter is read when all passes are done"
        reason = self.meter.problem or running
        return self._energy.get(seen.name) or not_measured(reason, len(seen.passes))

    # --- stages of a step

    def _trace(self) -> None:
        if not self.plan.stages or self.target.name != LOCAL:
            return
        absent = stages.missing()
        if absent:
            self.notes.append(f"stages: not measured ({absent})")
            return
        waves = self.recordings.waves[: stages.TRACED_STEPS]
        for seen in self.seen:
            if isinstance(seen.contender, Gated):
                self.progress.stage(f"tracing stages, {seen.name}")
                self._extras[seen.name] = self._traced(seen, seen.contender, waves)
        if self._slowed_by:
            low, high = min(self._slowed_by), max(self._slowed_by)
            slower = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
            self.notes.append(
                f"stages: ETDump of {stages.TRACED_STEPS} steps in ExecuTorch's Python runtime, where a step took "
                f"{slower} times as long as in the passes; heads are in lower and upper; decoding is edge-asr-run's own"
            )

    def _traced(self, seen: Seen, contender: Gated, waves: Sequence[Path]) -> Extras:
        threshold = contender.setting.threshold
        assert threshold is not None
        try:
            times = stages.measure_stages(contender.program.path, waves, threshold, self.plan.threads)
        except EdgeAsrError as error:
            self.notes.append(f"stages of {seen.name}: not measured ({error})")
            return Extras(None, None)
        flags = "".join(item.step_upper or "" for item in seen.once)
        mean = stages.mixed(times, flags.count("1") / max(1, len(flags)))
        if mean is None:
            self.notes.append(f"stages of {seen.name}: not measured (a kind of step did not occur while tracing)")
            return Extras(None, None)
        timed_ms = seen.step_ms()
        self._slowed_by.append(sum(mean.stages_ms.values()) / (sum(timed_ms) / len(timed_ms)))
        return Extras(mean.stages_ms, mean.operators_ms if self.plan.operators else None)

    # --- what else a report says

    def _ours_s(self) -> float | None:
        """CPU time that the measurement has used on the target."""
        if self.target.name != LOCAL:
            return self._runners_cpu_s
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    def _notes_on(self, measured: Sequence[Seen]) -> Iterator[str]:
        if self.recordings.texts is None:
            yield "no reference texts: accuracy is not measured"
        for seen in measured:
            if seen.texts_differ:
                yield f"{seen.name}: the text was not the same in every pass"
        yield (
            "cold starts are fresh processes with the files in the page cache; a pass is a fresh process that has "
            f"heard {LEAD_IN_S:g} s before it counts; percentiles are by nearest rank"
        )


def lead_in(recordings: Recordings) -> tuple[Path, ...]:
    """As many recordings, the first again after the last, as LEAD_IN_S are on average."""
    each_s = recordings.audio_s / len(recordings)
    count = max(1, math.ceil(LEAD_IN_S / each_s))
    return tuple(recordings.waves[number % len(recordings)] for number in range(min(count, TRAVERSALS_LIMIT)))


def within(recordings: Recordings, limit_s: float) -> tuple[Path, ...]:
    """The first recordings, of which there are so many seconds on average; at least one."""
    each_s = recordings.audio_s / len(recordings)
    return recordings.waves[: max(1, int(limit_s / each_s))]


def check_count(seen: Seen, count: int, work: Work) -> None:
    """Raises EdgeAsrError where recordings are missing."""
    if count != len(work.recordings):
        raise EdgeAsrError(f"{seen.name}: only {count} of {len(work.recordings)} recordings were heard: it was ended")


def some(value: float | None) -> list[float]:
    return [] if value is None else [value]


def measure(session: Session, after_round: Callable[[Session], None] = lambda session: None) -> Report:
    """Everything, from beginning to end. Raises EdgeAsrError."""
    for _ in session.run():
        after_round(session)
    report = session.report()
    assert report is not None
    return report
