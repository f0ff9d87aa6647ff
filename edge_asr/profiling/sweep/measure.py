"""A sweep's passes, and the conditions of the device meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edge_asr.profiling.conditions import describe_device, read_device
from edge_asr.profiling.contenders import Contender
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.sweep.journal import Journal
from edge_asr.profiling.sweep.run import SweepSession, take_passes


def measure(
    session: SweepSession,
    contenders: Sequence[Contender],
    recordings: Recordings,
    journal: Journal,
    passes: int,
    threads: int,
    cpus: str | None,
    advance: Callable[[float], None],
) -> None:
    """Take the passes that the journal lacks; the target is prepared. Whatever ends it, the conditions are kept."""
    target = session.target
    before = read_device(target.files, own_cpu_s(session))
    try:
        take_passes(session, contenders, recordings, passes, journal, advance)
    finally:
        if session.spans:
            after = read_device(target.files, own_cpu_s(session), before)
            seen = describe_device(target, threads, cpus, before.snapshot, after.snapshot)
            journal.set_conditions(seen)


def own_cpu_s(session: SweepSession) -> float:
    """CPU time that the measurement has used on the target."""
    here = time.process_time() if session.target.name == "local" else 0.0
    return session.runners_cpu_s + here
