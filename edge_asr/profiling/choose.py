"""What a profile compares: a file at its thresholds, and what is named against it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.baselines.choose import NAMES as BASELINES
from edge_asr.profiling.baselines.choose import Ingredients, choose_baseline
from edge_asr.profiling.contenders import Contender, gated
from edge_asr.profiling.program import Program
from edge_asr.profiling.targets.local import NAME as LOCAL
from edge_asr.profiling.targets.protocol import Target
from edge_asr.shipped import CHECKPOINTS, names_size
from edge_asr.terminal.options import OFF

NONE = "none"


@dataclass(frozen=True)
class Programs:
    main: Program
    others: Sequence[Program]

    def paths(self) -> list[Path]:
        return list(dict.fromkeys([self.main.path, *(program.path for program in self.others)]))


def names_model(name: str) -> bool:
    """Whether `--against` names a shipped model, or a file: what has a suffix or folder is one, be it there or not."""
    return names_size(name) or (name not in (OFF, NONE, *BASELINES) and ("/" in name or "." in name))


def check_names(against: Sequence[str], target_name: str) -> None:
    """Raises EdgeAsrError."""
    for name in against:
        if name in BASELINES and target_name != LOCAL:
            raise EdgeAsrError(f"--against {name}: baselines run on this machine only, and the target is {target_name}")
        if name not in (OFF, NONE, *BASELINES) and not names_model(name):
            raise EdgeAsrError(
                f"--against {name}: neither `off`, a .pte file, a shipped size ({', '.join(CHECKPOINTS)}), `none`, "
                f"nor one of {', '.join(BASELINES)}"
            )


def settings(
    target: Target,
    programs: Programs,
    thresholds: Sequence[float],
    against: Sequence[str],
    threads: int,
    cpus: str | None,
    tell: Callable[[str], None],
) -> Iterator[Contender]:
    """The profiled one first; each once. Raises EdgeAsrError."""
    main = programs.main
    known: set[tuple[str, float | str]] = set()
    prefixes = prefixes_of([main, *programs.others])
    make = functools.partial(gated, target, threads=threads, cpus=cpus)
    wanted: list[tuple[Program, float] | str] = [
        (main, value) for value in thresholds or [main.metadata.default_threshold]
    ]
    others = iter(programs.others)
    for name in against or ((OFF,) if len(thresholds) < 2 else ()):
        if name == OFF:
            wanted.append((main, NEVER_SKIP))
        elif name in BASELINES:
            wanted.append(name)
        elif name != NONE:
            other = next(others)
            wanted.append((other, thresholds[0] if thresholds else other.metadata.default_threshold))
    for item in wanted:
        key = ("", item) if isinstance(item, str) else (item[0].sha256, item[1])
        if key in known:
            continue
        known.add(key)
        if not isinstance(item, str):
            yield make(item[0], item[1], prefix=prefixes[item[0].path])
        else:
            yield choose_baseline(item, Ingredients(main.metadata, threads=threads, cpus=cpus), tell)


def prefixes_of(programs: Sequence[Program]) -> dict[Path, str]:
    """What tells files apart in the names of settings: nothing where there is one, else their names, or paths."""
    paths = list(dict.fromkeys(program.path for program in programs))
    if len(paths) == 1:
        return {paths[0]: ""}
    stems = {program.path: program.name for program in programs}
    names = list(stems.values())
    return {path: stem if names.count(stem) == 1 else str(path) for path, stem in stems.items()}
