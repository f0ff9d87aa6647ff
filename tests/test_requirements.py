"""Nothing is skipped in CI for want of a tool: the tests that need one fail there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
NEEDY = [  # one for each kind of thing that may be missing
    "tests/android/test_resources_link.py",  # a JDK and aapt2
    "tests/android/test_core_units.py",  # a Kotlin compiler
    "tests/native/test_aarch64.py",  # a cross compiler, an emulator, corpora
    "tests/profiling/targets/test_shell_files.py",  # BusyBox
    "tests/training/test_phones.py",  # espeak-ng
    "tests/training/test_synthesis.py",  # flite
]
OTHER_WAYS = re.compile(r"pytest\.skip|skipif|importorskip|mark\.skip|SkipTest")


def outcomes(folder: Path, files: list[str], **environment: str) -> Mapping[str, int]:
    """How many of the tests passed, failed, were skipped, on a machine that has nothing but Python."""
    (folder / "programs").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "JAVA_HOME", "CXX")}
    nothing = {"PATH": str(folder / "programs"), "EDGE_ASR_DATA": str(folder), "EDGE_ASR_CACHE": str(folder / "cache")}
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder / 'tests'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=REPOSITORY,
        env=kept | nothing | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    return {
        word.removesuffix("s"): int(count) for count, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)
    }


def test_outside_ci_they_are_skipped_and_in_ci_they_fail(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "ci").mkdir()
    here = outcomes(tmp_path / "here", NEEDY)
    in_ci = outcomes(tmp_path / "ci", NEEDY, CI="true")
    assert here["skipped"] >= len(NEEDY)
    assert here.get("failed", 0) + here.get("error", 0) == 0
    assert in_ci.get("skipped", 0) == 0
    assert in_ci.get("failed", 0) + in_ci.get("error", 0) == here["skipped"]
    assert in_ci["passed"] == here["passed"]


def test_no_test_skips_in_a_way_of_its_own() -> None:
    """`tests/requirements.py` alone decides what is skipped."""
    own = {Path(__file__).name, "requirements.py"}
    files = [path for path in (REPOSITORY / "tests").rglob("*.py") if path.name not in own]
    assert len(files) > 100
    ways = {path.name: OTHER_WAYS.findall(path.read_text(encoding="utf-8")) for path in files}
    assert {name: found for name, found in ways.items() if found} == {}
