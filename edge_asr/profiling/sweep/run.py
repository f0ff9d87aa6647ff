"""Take the passes: every setting once, then every setting again, so that a slow minute slows all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Contender, Work
from edge_asr.profiling.meters.energy import energy_of
from edge_asr.profiling.meters.protocol import Meter, Span
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.statistics import distribution
from edge_asr.profiling.sweep.journal import EnergyRecord, Journal, PassRecord, key_of
from edge_asr.profiling.targets.protocol import Target

IDLE_S = 5.0  # before and after the passes, where there is a meter
PASS_AUDIO_S = 120.0  # that a pass hears at least: short sets are heard again and again


@dataclass
class SweepSession:
    """One go at a sweep, from its start to its end or interruption."""

    target: Target
    meter: Meter
    spans: dict[str, list[Span]] = field(default_factory=dict)  # of the passes, by setting
    idle: list[Span] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)  # by the setting's name: why it was left out
    runners_cpu_s: float = 0.0  # of all processes that were started

    @contextmanager
    def metered(self, journal: Journal, audio_s: float) -> Iterator[None]:
        """Whatever ends the passes, the energy of those that were finished is kept."""
        if self.meter.problem:
            yield
            return
        self.meter.start(self.target.files)
        try:
            self.rest()
            yield
            self.rest()
        finally:
            self.meter.stop()
            self.keep_energies(journal, audio_s)

    def rest(self) -> None:
        begin_s = self.target.clock_s()
        time.sleep(IDLE_S)
        self.idle.append(Span(begin_s, self.target.clock_s()))

    def keep_energies(self, journal: Journal, audio_s: float) -> None:
        busy = sorted((span for spans in self.spans.values() for span in spans), key=lambda span: span.begin_s)
        try:
            self.meter.align(busy, self.idle)
        except EdgeAsrError:
            return  # then no window can be asked for; the report says that nothing was measured
        for key, spans in self.spans.items():
            energy = energy_of(self.meter, spans, self.idle, audio_s).energy
            journal.add(EnergyRecord(key, journal.session, len(spans), energy))


def take_passes(
    session: SweepSession,
    contenders: Sequence[Contender],
    recordings: Recordings,
    passes: int,
    journal: Journal,
    advance: Callable[[float], None] = lambda amount: None,
) -> None:
    """Those that are due. `advance` gets 1 for each.

    A setting that fails is left out from then on, and the others go on; `session.failures` says why.
    """
    missing = due(contenders, passes, journal)
    wanted = [contender for contender in contenders if missing[key_of(contender.setting)]]
    if not wanted:
        return
    for contender in wanted:  # fills the caches of the file system, and tells early what cannot run
        with left_out(session, contender):
            for item in contender.run(Work(recordings.waves[:1])):
                session.runners_cpu_s += item.get("cpu_s") or 0.0
    with session.metered(journal, recordings.audio_s * traversals_of(recordings)):
        for number in range(passes):
            for contender in turned(wanted, number):
                key = key_of(contender.setting)
                if contender.setting.name in session.failures or number not in missing[key]:
                    continue
                taken = None
                with left_out(session, contender):
                    taken = one_pass(contender, recordings, session.target)
                if taken is not None:
                    session.spans.setdefault(key, []).append(taken.span)
                    session.runners_cpu_s += taken.heard[-1].get("cpu_s") or 0.0
                    journal.add(record_of(taken, key, number, journal.session, recordings))
                advance(1)


def due(contenders: Sequence[Contender], passes: int, journal: Journal) -> dict[str, set[int]]:
    """Numbers of the passes to take, by the setting's key: those that the journal lacks, and of the first setting,
    which the others are compared with, one beside each of them. A ratio pairs passes of one go."""
    keys = [key_of(contender.setting) for contender in contenders]
    missing = {key: {number for number in range(passes) if not journal.done(key, number)} for key in keys}
    return {**missing, keys[0]: set().union(*missing.values())}


def turned(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Nobody always goes first, and every second pass runs backwards, so that neighbours change."""
    first = number // 2 % len(contenders)
    order = [*contenders[first:], *contenders[:first]]
    return order if number % 2 == 0 else order[::-1]


@contextmanager
def left_out(session: SweepSession, contender: Contender) -> Iterator[None]:
    try:
        yield
    except EdgeAsrError as error:
        session.failures[contender.setting.name] = str(error)


@dataclass(frozen=True)
class Taken:
    """One fresh process."""

    heard: list[dict[str, Any]]  # an object for each recording of each traversal
    span: Span  # loading and warming up left out


def traversals_of(recordings: Recordings) -> int:
    """How often a pass goes over the recordings."""
    return max(1, math.ceil(PASS_AUDIO_S / recordings.audio_s))


def one_pass(contender: Contender, recordings: Recordings, target: Target) -> Taken:
    """The first recording is heard once more, before the pass, which finds everything cold.

    Raises EdgeAsrError, also where fewer recordings were heard than given.
    """
    work = Work((recordings.waves[0], *recordings.waves * traversals_of(recordings)))
    heard, begin_s = [], 0.0
    for number, item in enumerate(contender.run(work)):
        if number:
            heard.append(item)
        else:
            begin_s = target.clock_s()
    span = Span(begin_s, target.clock_s())
    if len(heard) != len(work.recordings) - 1:
        raise EdgeAsrError(f"it heard {len(heard)} of {len(work.recordings) - 1} recordings")
    return Taken(heard, span)


def record_of(taken: Taken, key: str, number: int, session: int, recordings: Recordings) -> PassRecord:
    """Totals are of one traversal."""
    heard, traversals = taken.heard, traversals_of(recordings)
    once = heard[: len(recordings)]
    steps = distribution([step for item in heard for step in item.get("step_ms", ())])
    return PassRecord(
        key=key,
        number=number,
        session=session,
        audio_s=recordings.audio_s,
        compute_s=sum(item["compute_s"] for item in heard) / traversals,
        step_p50_ms=steps.p50_ms if steps else None,
        step_p90_ms=steps.p90_ms if steps else None,
        frames=total(once, "frames"),
        kept_frames=total(once, "kept_frames"),
        upper_runs=total(once, "upper_runs"),
        steps=total(once, "steps"),
        peak_rss_bytes=heard[-1].get("peak_resident_bytes"),
        texts=tuple(item["text"] for item in once),
    )


def total(heard: Sequence[dict[str, Any]], name: str) -> int | None:
    """None where the runtime does not count it."""
    return sum(item[name] for item in heard) if all(name in item for item in heard) else None
