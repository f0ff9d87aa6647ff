"""`edge-asr evaluate --against --speeds`: pairs of settings that hear the same, and copies of utterances."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_asr import recognizer
from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.backends.protocol import StepResult
from edge_asr.errors import EdgeAsrError
from edge_asr.terminal import model as terminal_model
from tests.beeps import BeepBackend, write_beeps, write_manifest
from tests.outcome import Run


class HardOfHearing(BeepBackend):
    """It misses quiet tones."""

    metadata = dataclasses.replace(BeepBackend.metadata, default_threshold=0.5)

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        return super().step(0.2 * pcm, frames, threshold, flush)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was loaded; `deaf*` ones are hard of hearing, the others as good as any."""
    opened: Counter[str] = Counter()

    def open_backend(path: Path, threads: int, name: str | None) -> BeepBackend:
        if not path.is_file():
            raise EdgeAsrError(f"{path}: no such model file")
        opened[path.name] += 1
        return HardOfHearing() if path.name.startswith("deaf") else BeepBackend()

    monkeypatch.setattr(recognizer, "open_backend", open_backend)
    return opened


@pytest.fixture
def good(opened: Counter[str], tmp_path: Path) -> Path:
    path = tmp_path / "good.pte"
    path.write_bytes(b"good")
    return path


@pytest.fixture
def deaf(opened: Counter[str], tmp_path: Path) -> Path:
    path = tmp_path / "deaf.pte"
    path.write_bytes(b"deaf")
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Eight utterances of 1.2 s, sixteen words, half of them quiet."""
    entries = []
    for number in range(8):
        path = write_beeps(tmp_path / f"{number}.wav", "x..x..")
        soundfile.write(path, read_audio(path) * (0.3 if number % 2 else 1.0), SAMPLE_RATE_HZ)
        entries.append({"audio_filepath": f"{number}.wav", "text": "BEEP BEEP"})
    return write_manifest(tmp_path / "manifest.jsonl", entries)


def heard_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_difference_is_the_model_minus_the_other(run: Run, manifest: Path, good: Path, deaf: Path) -> None:
    better = run("evaluate", manifest, "--model", good, "--against", deaf, "--json").json
    worse = run("evaluate", manifest, "--model", deaf, "--against", good, "--json").json
    (other,) = better["against"]
    assert (better["wer"], other["wer"]) == (0.0, 50.0)
    assert other["wer_difference"] == -50.0
    low, high = other["wer_difference_ci95"]
    assert low <= other["wer_difference"] <= high < 0
    assert worse["against"][0]["wer_difference"] == -other["wer_difference"]
    assert other["wer"] == worse["wer"]
    assert other["wer_ci95"] == worse["wer_ci95"]


def test_each_is_what_it_is_alone(run: Run, manifest: Path, good: Path, deaf: Path) -> None:
    both = run("evaluate", manifest, "--model", good, "--against", deaf, "--json").json
    times = ("compute_s", "rtf")
    for path, found in ((good, both), (deaf, both["against"][0])):
        alone = run("evaluate", manifest, "--model", path, "--json").json
        assert alone["against"] == []
        shared = [key for key in found if key in alone and key not in times and key != "against"]
        assert {"wer", "wer_ci95", "kept_frame_ratio", "threshold", "words", "model_sha256"} <= set(shared)
        assert [found[key] for key in shared] == [alone[key] for key in shared]


def test_a_threshold_behind_it_or_alone(run: Run, manifest: Path, good: Path, deaf: Path) -> None:
    asked = (f"{deaf}@0.25", deaf, f"{deaf}@off", "@off", "@0")
    options = [part for name in asked for part in ("--against", name)]
    answer = run("evaluate", manifest, "--model", good, "--threshold", "0.8", *options, "--json").json
    assert answer["threshold"] == 0.8
    found = answer["against"]
    assert [each["setting"] for each in found] == [str(name) for name in asked]
    assert [each["threshold"] for each in found] == [0.25, 0.5, 1.0, 1.0, 0.0]  # 0.5 is the other file's own
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (deaf, deaf, deaf, good, good)]
    assert [each["model_sha256"] for each in found] == hashes
    assert [each["kept_frame_ratio"] for each in found][2:] == [1.0, 1.0, 0.0]
    off = found[3]
    assert (off["wer_difference"], off["wer_difference_ci95"]) == (0.0, [0.0, 0.0])


def test_the_same_setting_twice_is_heard_once(
    run: Run, manifest: Path, good: Path, opened: Counter[str], tmp_path: Path
) -> None:
    heard = tmp_path / "heard.jsonl"
    settings = ("--against", good, "--against", "@0.9", "--against", "@off")
    answer = run("evaluate", manifest, "--model", good, *settings, "--hypotheses", heard, "--json").json
    assert opened == {"good.pte": 1}
    assert len(heard_in(heard)) == 2 * 8
    assert [each["wer_difference"] for each in answer["against"]] == [0.0, 0.0, 0.0]


def test_a_path_may_have_an_at_sign(run: Run, manifest: Path, good: Path, deaf: Path, tmp_path: Path) -> None:
    odd = deaf.rename(tmp_path / "deaf@home.pte")
    options = ("--against", odd, "--against", f"{odd}@off")
    answer = run("evaluate", manifest, "--model", good, *options, "--json").json
    assert [each["threshold"] for each in answer["against"]] == [0.5, 1.0]


def test_a_shipped_size_is_no_path(
    run: Run, manifest: Path, good: Path, deaf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[str] = []
    monkeypatch.setattr(terminal_model, "shipped_pte", lambda tell, progress, size: sizes.append(size) or deaf)
    answer = run("evaluate", manifest, "--model", good, "--against", "small@off", "--json").json
    assert sizes == ["small"]
    assert answer["against"][0]["setting"] == "small@off"


def test_each_has_a_row(run: Run, manifest: Path, good: Path, deaf: Path) -> None:
    out = run("evaluate", manifest, "--model", good, "--against", deaf, "--against", "@off", "--speeds", "1,1.1").out
    rows = [line for line in out.splitlines() if line.startswith("against")]
    assert [row.split()[1] for row in rows] == [f"{deaf}:", "@off:"]
    assert "threshold 0.5" in rows[0]
    assert "WER 50.00 % (" in rows[0]
    assert "model minus this -50.00 points (-" in rows[0]
    assert "threshold off, 100.0% kept; model minus this +0.00 points (+0.0 to +0.0)" in rows[1]
    assert "8 utterances at speed 1, 1.1, 32 words" in out


def test_each_utterance_is_heard_at_each_speed(
    run: Run, manifest: Path, good: Path, deaf: Path, tmp_path: Path
) -> None:
    heard = tmp_path / "heard.jsonl"
    options = ("--against", deaf, "--speeds", "0.5,1,2", "--hypotheses", heard)
    answer = run("evaluate", manifest, "--model", good, *options, "--json").json
    assert (answer["speeds"], answer["utterances"], answer["words"]) == ([0.5, 1.0, 2.0], 8, 3 * 16)
    assert answer["audio_s"] == pytest.approx(8 * 1.2 * (2 + 1 + 0.5))
    lines = heard_in(heard)
    assert [(line["speed"], line["model"], line["threshold"]) for line in lines[:6]] == [
        (speed, str(model), threshold)
        for speed in (0.5, 1.0, 2.0)
        for model, threshold in ((good, 0.9), (deaf, 0.5))  # in turns
    ]
    assert len(lines) == 8 * 3 * 2
    assert [line["audio_s"] for line in lines[:6:2]] == pytest.approx([2.4, 1.2, 0.6])


def test_as_recorded_is_the_default(run: Run, manifest: Path, good: Path, tmp_path: Path) -> None:
    answers = []
    for name, options in (("a", ()), ("b", ("--speeds", "1"))):
        path = tmp_path / name
        answer = run("evaluate", manifest, "--model", good, *options, "--hypotheses", path, "--json").json
        answers.append([answer[key] for key in ("speeds", "wer", "wer_ci95", "audio_s", "steps")])
        answers[-1] += [line["hypothesis"] for line in heard_in(path)]
    assert answers[0] == answers[1]
    assert answers[0][0] == [1.0]


def test_copies_that_say_the_same_leave_the_intervals_as_wide(run: Run, good: Path, tmp_path: Path) -> None:
    """Tones are heard at any speed, and what is no tone at none: the copies bring nothing new."""
    entries = [
        {"audio_filepath": write_beeps(tmp_path / f"{n}.wav", "..x...x.").name, "text": "BEEP " * (2 + n % 3)}
        for n in range(9)
    ]
    manifest = write_manifest(tmp_path / "manifest.jsonl", entries)
    once, thrice = (
        run("evaluate", manifest, "--model", good, "--against", "@0", "--speeds", speeds, "--json").json
        for speeds in ("1", "0.9,1,1.1")
    )
    assert once["wer_ci95"][0] < once["wer_ci95"][1]
    assert thrice["words"] == 3 * once["words"]
    for key in ("wer", "wer_ci95", "utterances"):
        assert thrice[key] == once[key]
    for key in ("wer", "wer_ci95", "wer_difference", "wer_difference_ci95"):
        assert thrice["against"][0][key] == once["against"][0][key]


def test_ctrl_c_keeps_what_was_heard(
    run: Run, manifest: Path, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, real = tmp_path / "heard.jsonl", recognizer.Recognizer.transcribe
    turns = iter(range(100))

    def interrupted(self: recognizer.Recognizer, *arguments: Any) -> recognizer.Result:
        if next(turns) == 7:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(recognizer.Recognizer, "transcribe", interrupted)
    outcome = run("evaluate", manifest, "--model", good, "--against", "@off", "--hypotheses", heard)
    assert (outcome.code, outcome.out) == (130, "")
    assert [line["hypothesis"] for line in heard_in(heard)] == ["BEEP BEEP"] * 7


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "name a .pte"),
        ("@", "neither 'off' nor a number"),
        ("@2", "'2' is neither 'off' nor a number"),
        ("small@high", "'high' is neither 'off' nor a number"),
    ],
)
def test_a_setting_that_is_none_is_wrong_usage(run: Run, manifest: Path, name: str, complaint: str) -> None:
    run("evaluate", manifest, "--against", name).assert_fails("--against", complaint, code=2)


@pytest.mark.parametrize("speeds", ["0", "-1", "fast", "", "1,,2", "5", "0.1", "nan", "inf", "0.9 1"])
def test_a_speed_that_is_none_is_wrong_usage(run: Run, manifest: Path, speeds: str) -> None:
    run("evaluate", manifest, "--speeds", speeds).assert_fails("--speeds", "is not a speed from 0.5 to 2", code=2)


def test_a_speed_twice_is_wrong_usage(run: Run, manifest: Path) -> None:
    run("evaluate", manifest, "--speeds", "1,0.9,1.0").assert_fails("--speeds", "names a speed twice", code=2)


def test_a_missing_file_is_told_before_anything_is_heard(run: Run, manifest: Path, good: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard.jsonl"
    options = ("--against", tmp_path / "none.pte", "--hypotheses", heard)
    run("evaluate", manifest, "--model", good, *options).assert_fails("none.pte: no such model file")
    assert heard.read_text() == ""


def test_texts_without_words_compare_nothing(run: Run, good: Path, beeps: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "empty.jsonl", [{"audio_filepath": beeps.name, "text": ""}])
    run("evaluate", manifest, "--model", good, "--against", "@off").assert_fails("empty.jsonl", "no words", "--against")
