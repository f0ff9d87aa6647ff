"""`edge-asr sweep`, on a tiny real model: what a user gets, what an interruption leaves, and what can be wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.demo import RECORDING, TEXT
from edge_asr.native.build import Build
from edge_asr.profiling.program import read_program
from edge_asr.profiling.sweep.journal import NAME
from tests.beeps import write_manifest
from tests.conftest import REPOSITORY
from tests.outcome import Run

FILES = {"sweep.json", "sweep.md", "sweep.png", "sweep.svg", "sweep.html", NAME}

pytestmark = pytest.mark.usefixtures("native_build")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two recordings with their texts."""
    audio = read_audio(RECORDING)
    soundfile.write(tmp_path / "one.wav", audio, SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / "two.wav", 0.3 * audio, SAMPLE_RATE_HZ)
    entries = [{"audio_filepath": f"{name}.wav", "text": TEXT} for name in ("one", "two")]
    return write_manifest(tmp_path / "dev.jsonl", entries)


def passes_in(folder: Path) -> int:
    path = folder / NAME
    return sum('"number"' in line for line in path.read_text().splitlines()) if path.is_file() else 0


def test_a_sweep_leaves_five_files_that_say_the_same(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    arguments = [
        "sweep",
        manifest,
        "--model",
        tiny_pte,
        "--thresholds",
        "0.9,0",
        "--passes",
        2,
        "-o",
        tmp_path / "out",
    ]
    outcome = run(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    answer = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert answer == outcome.json
    names = [point["setting"]["name"] for point in answer["points"]]
    assert names == ["gate off", "gate 0.9", "gate 0"]  # off is always taken: it is the reference
    off, *_, low = answer["points"]
    assert off["kept_frame_ratio"] == 1.0
    assert low["kept_frame_ratio"] == 0.0
    assert off["accuracy"]["words"] == 2 * len(TEXT.split())
    assert all(point["rtf"] > 0 and point["peak_rss_bytes"] > 5e6 for point in answer["points"])
    assert answer["conditions"]["threads"] == 1
    assert answer["complete"] is True
    for name in names:
        assert name in (tmp_path / "out" / "sweep.md").read_text()
        assert name in (tmp_path / "out" / "sweep.html").read_text()

    # the same command again measures nothing, and more thresholds measure those
    assert passes_in(tmp_path / "out") == 6
    before = (tmp_path / "out" / NAME).read_bytes()
    assert run(*arguments).code == 0
    assert (tmp_path / "out" / NAME).read_bytes() == before
    arguments[5] = "0.9,0,0.5"
    assert "gate 0.5" in run(*arguments).out
    assert passes_in(tmp_path / "out") == 8 + 2  # and the reference beside each


def test_an_anonymous_sweep_names_no_folder_in_any_file(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = ["sweep", manifest, "--model", tiny_pte, "--thresholds", "0.9", "--passes", 1, "-o", out]
    outcome = run(*line, "--anonymous")
    assert outcome.code == 0, outcome.err
    assert "--anonymous" not in outcome.err
    assert {path.name for path in out.iterdir()} == FILES
    for file in out.iterdir():
        for folder in (tmp_path, tiny_pte.parent):
            assert str(folder).encode() not in file.read_bytes(), file
    assert str(tmp_path) not in outcome.out
    assert json.loads((out / "sweep.json").read_text())["command"].startswith(
        "edge-asr sweep dev.jsonl --model tiny.pte"
    )
    told = run(*line)  # the passes are there: the same files again, with the paths
    assert "the report names absolute paths; --anonymous leaves that out" in told.err
    assert str(tmp_path) in (out / "sweep.json").read_text()


def test_a_manifest_without_text_is_timed(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    bare = write_manifest(tmp_path / "bare.jsonl", [{"audio_filepath": "one.wav"}])
    outcome = run("sweep", bare, "--model", tiny_pte, "--thresholds", "0.9", "--passes", 1, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("No recommendation: the manifest has no reference words")
    assert f"{bare}: no reference words" in outcome.err.splitlines()[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_a_test_split_judges_and_chooses_nothing(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    split = manifest.rename(tmp_path / "test.jsonl")
    arguments = ["sweep", split, "--model", tiny_pte, "--passes", 1, "-o", tmp_path / "out"]
    outcome = run(*arguments, "--thresholds", "off")
    assert "test.jsonl looks like a test split" in outcome.err
    assert outcome.out.startswith("No recommendation: a test split chooses none")
    own = read_program(tiny_pte).metadata.default_threshold
    assert run(*arguments, "--thresholds", f"{own:g},0.1").out.startswith(f"The file's own threshold: gate {own:g}, ")


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["sweep", manifest, "--model", tiny_pte, "--thresholds", "0.9", "--passes", "40", "-o", out]
    line = [sys.executable, "-m", "edge_asr", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline_s = time.monotonic() + 60
        while passes_in(out) < 3 and time.monotonic() < deadline_s and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "Traceback" not in complaint
    kept = passes_in(out)
    assert 3 <= kept < 80
    partial = json.loads((out / "sweep.json").read_text())
    assert partial["complete"] is False
    assert sum(point["passes"] for point in partial["points"]) == kept
    assert any(f"Unfinished: {kept} of 80 passes" in note for note in partial["notes"])
    arguments[7] = str(kept // 2 + 2)
    assert run(*arguments).code == 0
    assert json.loads((out / "sweep.json").read_text())["complete"] is True


@pytest.mark.parametrize("thresholds", ["1.5", "0.9,-0.1", "high", "off,,0.9", "nan"])
def test_a_threshold_out_of_range_is_a_misuse(run: Run, manifest: Path, tmp_path: Path, thresholds: str) -> None:
    outcome = run("sweep", manifest, "--thresholds", thresholds, "-o", tmp_path / "out")
    outcome.assert_fails("is neither 'off' nor a number from 0 to 1", "sweep --help", code=2)
    assert not (tmp_path / "out").exists()


def test_a_broken_model_among_several_is_named_before_anything_is_measured(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pte"
    broken.write_bytes(tiny_pte.read_bytes()[:-1_000])
    run("sweep", manifest, "--model", tiny_pte, "--model", broken, "-o", tmp_path / "out").assert_fails("broken.pte")
    assert not (tmp_path / "out").exists()


def test_one_model_twice_is_refused(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    outcome = run("sweep", manifest, "--model", tiny_pte, "--model", tiny_pte, "-o", tmp_path / "out")
    outcome.assert_fails("is asked for twice: name each file once")


def test_a_folder_that_cannot_be_written_is_told_at_once(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    run("sweep", manifest, "--model", tiny_pte, "-o", tmp_path / "file").assert_fails("file", code=2)
    run("sweep", manifest, "--model", tiny_pte, "-o", tmp_path / "file" / "out").assert_fails(
        "cannot be written", "name another folder"
    )
    run("sweep", manifest, "--model", tiny_pte, "-o", "/proc/sweep").assert_fails("/proc/sweep", "cannot be written")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"audio_filepath": "none.wav", "text": "A"}', "bad.jsonl:1: no such audio file"),
        ('{"audio_filepath": "one.wav", "text": 3}', "bad.jsonl:1: 'text' is missing or not a string"),
        ("{", "bad.jsonl:1: broken JSON"),
        ("", "the manifest has no utterances"),
    ],
)
def test_a_bad_line_of_a_manifest_is_named(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path, line: str, complaint: str
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(line + "\n")
    run("sweep", bad, "--model", tiny_pte, "-o", tmp_path / "out").assert_fails(complaint)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_compared_with_is_told(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    outcome = run("sweep", manifest, "--model", tiny_pte, "--against", "whisper", "-o", tmp_path / "out")
    outcome.assert_fails("--against whisper: neither onnxruntime-int8", "nor a .pte file")
    outcome = run("sweep", manifest, "--model", tiny_pte, "--against", "none.pte", "-o", tmp_path / "out")
    outcome.assert_fails("none.pte: no such model file")


def test_another_pte_joins_with_its_gate_off(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path, native_build: Build
) -> None:
    """A static model would come in so."""
    other = tmp_path / "static.pte"
    other.write_bytes(tiny_pte.read_bytes())
    outcome = run(
        *("sweep", manifest, "--model", tiny_pte, "--against", other, "--thresholds", "0.9", "--passes", 1),
        *("-o", tmp_path / "out", "--json"),
    )
    names = [point["setting"]["name"] for point in outcome.json["points"]]
    assert names == ["gate off", "gate 0.9", "static gate off"]
