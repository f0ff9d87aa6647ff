"""`edge-asr-run` as a process, with the tiny model."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge_asr.native.build import Build
from tests.native.runs import LIMIT_S, Runner
from tests.outcome import Outcome


@pytest.fixture
def runner(native_build: Build, tiny_pte: Path) -> Runner:
    """`runner(audio, "--json", stdin=b"")` -> Outcome, with the tiny model where no other is named."""

    def run_line(*arguments: object, stdin: bytes = b"", env: dict[str, str] | None = None) -> Outcome:
        named = any(str(argument) == "--model" for argument in arguments)
        command = [str(native_build.runner), *([] if named else ["--model", str(tiny_pte)]), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=LIMIT_S, check=False, env=env)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode(errors="surrogateescape"))

    return run_line


@pytest.fixture
def text(runner: Runner, beeps: Path) -> str:
    """What the tiny model hears in the beeps: nonsense, but always the same."""
    outcome = runner(beeps)
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(r"[A-Z]+( [A-Z]+)*\n", outcome.out)
    return outcome.out
