"""What a program or library needs of others, read from its ELF headers with `readelf`, which reads any machine's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr.errors import EdgeAsrError

# The C library and its loader belong to the system: they must fit its kernel and its configuration.
C_LIBRARY = re.compile(r"(?:lib(?:c|m|dl|rt|pthread|util|resolv|anl)\.so\.\d+|ld-linux[\w-]*\.so\.\d+)$")


@dataclass(frozen=True)
class Needs:
    """Of one ELF file."""

    libraries: tuple[str, ...]  # names, as the loader looks for them
    glibc: tuple[int, ...]  # the newest version of the C library that a symbol asks for, as numbers; empty if none


def read_needs(path: Path) -> Needs:
    """Raises EdgeAsrError where it cannot be read."""
    try:
        done = subprocess.run(
            ["readelf", "--wide", "--dynamic", "--version-info", str(path)],
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except FileNotFoundError:
        raise EdgeAsrError("readelf is missing: on Debian, sudo apt install binutils") from None
    libraries = tuple(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", done.stdout))
    if done.returncode or not libraries:
        raise EdgeAsrError(f"{path}: no program or library that links others")
    versions = re.findall(r"Name: GLIBC_(\d+(?:\.\d+)+) ", done.stdout)
    return Needs(libraries, max((tuple(map(int, version.split("."))) for version in versions), default=()))


def closure(roots: Sequence[Path], find: Callable[[str], Path]) -> tuple[dict[str, Path], tuple[int, ...]]:
    """All libraries that the roots need, and those need in turn, but the C library -> name to file, as `find` knows
    them; and the newest C library that any of the files asks for. Raises EdgeAsrError."""
    found: dict[str, Path] = {}
    newest: tuple[int, ...] = ()
    waiting = list(roots)
    while waiting:
        needs = read_needs(waiting.pop())
        newest = max(newest, needs.glibc)
        for name in needs.libraries:
            if name not in found and not C_LIBRARY.match(name):
                found[name] = find(name)
                waiting.append(found[name])
    return found, newest
