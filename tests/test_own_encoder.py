"""The guide's commands, on a small Wav2Vec2 that `transformers` has saved."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asr.model.registry import FAMILIES
from tests.adoption.sources import saved
from tests.beeps import write_beeps, write_manifest
from tests.checkout import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "own-encoder.md").read_text(encoding="utf-8")
ADOPT, TUNE, SUITE = re.findall(r"^```bash\n(.*?)^```", GUIDE, re.M | re.S)


(CONFIG,) = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.M | re.S)


def carry_out(lines: str, folder: Path) -> str:
    """What the commands print."""
    shown = ""
    for line in lines.strip().splitlines():
        program, *rest = line.split()
        assert program == "edge-asr"
        done = subprocess.run(
            [sys.executable, "-m", "edge_asr", *rest], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    return shown


@pytest.mark.slow
def test_the_commands_lead_from_a_folder_to_a_file_that_branches_and_a_report(tmp_path: Path) -> None:
    saved("wav2vec2-group", tmp_path / "source")
    shown = carry_out(ADOPT, tmp_path)
    assert "expected where 30% of the frames are kept" in shown
    assert shown.count("branch at instruction") == 6

    (tmp_path / "mine.toml").write_text(CONFIG.replace("= 100", "= 2").replace("= 8000", "= 4"), encoding="utf-8")
    folder = tmp_path / "data" / "my"
    folder.mkdir(parents=True)
    entries = []
    for number in range(8):
        write_beeps(folder / f"{number}.wav", ".x..x.x"[number % 3 :] + "...")
        entries.append({"audio_filepath": f"{number}.wav", "text": "AB C", "speaker": f"s{number // 2}"})
    write_manifest(folder / "train.jsonl", entries)
    shown = carry_out(TUNE, tmp_path)
    rows = dict(line.split("  ", 1) for line in shown.splitlines() if re.match(r"[a-z-]+( [a-z]+)?  ", line))
    wanted = {"gate on", "gate off", "full context", "source", "speed-up", "agreement", "size", "measured on"}
    assert wanted <= rows.keys()
    assert "at full context; all of it costs" in rows["source"]


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
