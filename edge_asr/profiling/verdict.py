"""Whether a measurement may be quoted, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_asr.profiling.report import Conditions, Verdict
from edge_asr.profiling.seen import Seen
from edge_asr.profiling.statistics import FEWEST_FOR_INTERVAL, relative_spread

SPREAD_LIMIT = 0.10  # of the passes of a setting, see `relative_spread`
OTHERS_LIMIT = 0.10  # of all CPU time, used by other processes


def judge(measured: Sequence[Seen], conditions: Conditions, unfinished: str | None = None) -> Verdict:
    """`unfinished` says why the measurement ended early."""
    timed = [] if conditions.emulated else measured
    spreads = {seen.name: relative_spread(seen.compute_s) for seen in timed if len(seen.passes) > 1}
    reasons = [*([unfinished] if unfinished else []), *noise(measured, spreads, conditions)]
    return Verdict(not reasons, tuple(reasons), max(spreads.values(), default=None), unfinished)


def noise(measured: Sequence[Seen], spreads: dict[str, float], conditions: Conditions) -> Iterator[str]:
    """What is wrong, one line each."""
    if conditions.emulated:
        yield "emulated: time means nothing"
    for name, spread in spreads.items():
        if spread > SPREAD_LIMIT:
            yield f"{name}: its passes spread by {spread:.0%} (limit {SPREAD_LIMIT:.0%})"
    fewest = min(len(seen.passes) for seen in measured)
    if fewest < FEWEST_FOR_INTERVAL:
        yield f"{fewest} pass(es) are too few for an interval (at least {FEWEST_FOR_INTERVAL})"
    for moment, snapshot in (("before", conditions.before), ("meanwhile", conditions.after)):
        share = snapshot.others_cpu_share
        if share is not None and share > OTHERS_LIMIT:
            yield f"other processes used {share:.0%} of the CPUs {moment} (limit {OTHERS_LIMIT:.0%})"
    if conditions.before.throttled or conditions.after.throttled:
        yield "the device was throttled"
