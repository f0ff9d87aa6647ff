"""The guide's commands, on a small Wav2Vec2 that `transformers` has saved."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asr.model.registry import FAMILIES
from tests.adoption.sources import saved
from tests.checkout import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "own-encoder.md").read_text(encoding="utf-8")
ADOPT, SUITE = re.findall(r"^```bash\n(.*?)^```", GUIDE, re.M | re.S)


@pytest.mark.slow
def test_the_commands_make_a_file_that_branches(tmp_path: Path) -> None:
    saved("wav2vec2-group", tmp_path / "source")
    shown = ""
    for line in ADOPT.strip().splitlines():
        program, *rest = line.split()
        assert program == "edge-asr"
        done = subprocess.run(
            [sys.executable, "-m", "edge_asr", *rest], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    assert "expected where 30% of the frames are kept" in shown
    assert shown.count("branch at instruction") == 6


def test_the_suite_that_it_names_is_there() -> None:
    program, *paths = SUITE.split()
    assert program == "pytest"
    assert len(paths) == 2
    assert all((REPOSITORY / path).is_file() for path in paths)


def test_it_names_every_model_type_that_can_be_adopted() -> None:
    types = [name for family in FAMILIES for name in family.model_types]
    assert types
    assert all(f"`{name}`" in GUIDE for name in types)


def test_the_line_that_it_adds_belongs_into_the_registry() -> None:
    (added,) = re.findall(r"^```diff\n(.*?)^```", GUIDE, re.M | re.S)
    registry = (REPOSITORY / "edge_asr" / "model" / "registry.py").read_text(encoding="utf-8")
    before = "".join(line[1:] for line in added.splitlines(keepends=True) if not line.startswith("+"))
    assert before.removesuffix(")\n") in registry
    assert "class Running(GatedCtc)" in (REPOSITORY / "tests" / "model" / "test_gated.py").read_text(encoding="utf-8")
