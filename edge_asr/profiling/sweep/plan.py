"""Which settings a sweep takes: files and thresholds, each with a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Contender, Gated, gated
from edge_asr.profiling.program import Program
from edge_asr.profiling.targets.protocol import Target

USUAL = (NEVER_SKIP, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5)  # and what each file recommends
TEST_NAMES = ("test", "eval")  # in a manifest's name


def settings(
    target: Target, programs: Sequence[Program], thresholds: Sequence[float], threads: int, cpus: str | None
) -> list[Gated]:
    """Each file at each threshold, the highest first. Without thresholds, the usual ones.

    The first is the first file with its gate off, whatever the thresholds are: all others are compared with it.
    """
    labels = names_of(programs)
    planned = []
    for number, (program, label) in enumerate(zip(programs, labels, strict=True)):
        chosen = set(thresholds or (*USUAL, program.metadata.default_threshold))
        chosen |= {NEVER_SKIP} if number == 0 else set()
        planned += [gated(target, program, value, threads, cpus, label) for value in sorted(chosen, reverse=True)]
    return planned


def names_of(programs: Sequence[Program]) -> list[str]:
    """What tells the files apart, said as shortly as can be: nothing, the precision, precision and chunk, the name."""
    if len(programs) == 1:
        return [""]
    for attempt in (
        [program.metadata.precision for program in programs],
        [f"{program.metadata.precision} {program.metadata.chunk_ms:g} ms" for program in programs],
        [program.name for program in programs],
    ):
        if len(set(attempt)) == len(programs):
            return attempt
    return [f"{program.name} {program.sha256[:6]}" for program in programs]


def check_names(contenders: Sequence[Contender]) -> None:
    """Raises EdgeAsrError where one is asked for twice."""
    names = [contender.setting.name for contender in contenders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EdgeAsrError(f"{twice[0]} is asked for twice: name each file once")


def is_test_split(manifest: Path) -> bool:
    return any(name in manifest.stem.lower() for name in TEST_NAMES)


def own_of(ours: Sequence[Gated], program: Program) -> str:
    """The setting that the file recommends, by name; it may not be among those that are measured."""
    own = program.metadata.default_threshold
    return next((each.setting.name for each in ours if each.program == program and each.setting.threshold == own), "")
