"""What the profiler itself costs: steps while it listens and samples, against steps while nobody does.

Usage: python -m edge_asr.profiling.disturbance [AUDIO... | MANIFEST] [--model MODEL.pte] [--pairs 20] [--json]
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from edge_asr.profiling.contenders import Contender, Work, gated
from edge_asr.profiling.program import read_program
from edge_asr.profiling.recordings import as_waves, sources
from edge_asr.profiling.statistics import Estimate, interleaved_ratio, relative_spread
from edge_asr.profiling.targets.local import LocalTarget
from edge_asr.terminal.model import model_or_shipped
from edge_asr.terminal.options import json_option, limit_option, model_option
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json, print_rows, progress_bar

SAMPLED = "cat /proc/stat /proc/loadavg /proc/meminfo /proc/uptime"  # dearer to read than a meter's counters
SAMPLE_INTERVAL_S = 0.02  # five times as often as the most eager meter is read
PASS_S = 1.0  # of compute


@dataclass(frozen=True)
class Disturbance:
    """Compute of a pass with the profiler over that without, median of interleaved pairs."""

    ratio: float
    ci95: tuple[float, float] | None
    pairs: int
    spread_without: float  # of the passes without, see `relative_spread`: what cannot be told from nothing
    samples_hz: float  # that were taken meanwhile


def measure_disturbance(
    target: LocalTarget,
    contender: Contender,
    waves: tuple[Path, ...],
    pairs: int,
    advance: Callable[[float], None] = lambda amount: None,
) -> Disturbance:
    """Raises EdgeAsrError."""
    once_s = without(contender, waves)
    work = waves * max(1, round(PASS_S / once_s))
    seconds: dict[bool, list[float]] = {True: [], False: []}  # by whether the profiler listens
    count, lasted_s = 0, 0.0
    for number in range(pairs):
        for listening in (True, False) if number % 2 == 0 else (False, True):
            if listening:
                begin_s = target.clock_s()
                compute_s, samples = profiled(target, contender, work)
                count, lasted_s = count + samples, lasted_s + target.clock_s() - begin_s
            else:
                compute_s = without(contender, work)
            seconds[listening].append(compute_s)
        advance(1)
    found: Estimate = interleaved_ratio(seconds[True], seconds[False])
    return Disturbance(found.value, found.ci95, pairs, relative_spread(seconds[False]), count / lasted_s)


def profiled(target: LocalTarget, contender: Contender, waves: tuple[Path, ...]) -> tuple[float, int]:
    """Compute of a pass as a session takes it, with a meter being read, and how many samples there were."""
    with target.files.sample(SAMPLED, SAMPLE_INTERVAL_S) as sampler:
        compute_s = sum(item["compute_s"] for item in contender.run(Work(waves)))
    return compute_s, len(sampler.samples())


def without(contender: Contender, waves: tuple[Path, ...]) -> float:
    """The runner alone: it prints once, at its end, and we sleep until then."""
    (item,) = contender.run(Work(waves, bench=True))
    return float(item["compute_s"])


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("audio", nargs=-1, type=click.Path(path_type=Path), metavar="[AUDIO... | MANIFEST]")
@model_option
@limit_option
@click.option("--pairs", type=click.IntRange(min=2), default=20, show_default=True, help="Passes of each kind.")
@json_option
def command(audio: tuple[Path, ...], model: Path | None, limit: int | None, pairs: int, as_json: bool) -> None:
    """Compute of passes while the profiler reads the runner's lines and samples at 50 Hz, over that of passes in which
    the runner is alone. On a quiet machine; where the spread is larger than the difference, there is none to be seen.
    """
    found = sources(audio, limit)
    program = read_program(model_or_shipped(model))
    with contextlib.ExitStack() as stack:
        recordings = stack.enter_context(as_waves(found, program.metadata.sample_rate_hz))
        target = stack.enter_context(LocalTarget())
        target.prepare([program.path], recordings.waves)
        advance = stack.enter_context(progress_bar("pairs of passes", pairs))
        contender = gated(target, program, program.metadata.default_threshold)
        disturbance = measure_disturbance(target, contender, recordings.waves, pairs, advance)
    if as_json:
        print_json(vars(disturbance))
        return
    interval = disturbance.ci95
    print_rows(
        [
            ("with over without", f"{disturbance.ratio:.4f}: {disturbance.ratio - 1:+.2%}"),
            ("95 % interval", "too few pairs" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"),
            ("pairs", f"{pairs}, of {PASS_S:g} s of compute each"),
            ("spread without", f"{disturbance.spread_without:.1%}"),
            ("samples", f"{disturbance.samples_hz:.0f} a second"),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(run(command, "disturbance"))
