"""`edge-asr-run` says what the Python backend says: every word, every partial text, every frame that is kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from edge_asr.audio import read_audio
from edge_asr.contract import NEVER_SKIP
from edge_asr.ctc import Word
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from edge_asr.recognizer import Recognizer, StepInfo

BLOCK = 8_000  # samples between two updates: half a second, as the runner reads files
CONFIDENCE_DIGITS = 4  # that the runner prints


@dataclass(frozen=True)
class Heard:
    """What a stream said from its start to its end."""

    text: str
    words: list[tuple[str, float, float]]  # text, start, end
    confidences: list[float]
    updates: list[tuple[str, str]]  # final and partial text after each update that took a step
    steps: list[tuple[str, bool, int]]  # of each: kept frames as 0 and 1, whether the upper stack ran, frames waiting
    frames: int
    kept_frames: int


def heard_by_python(recognizer: Recognizer, audio: Path, threshold: float | None) -> Heard:
    updates: list[tuple[str, str]] = []
    steps: list[tuple[str, bool, int]] = []

    def note(final: str, partial: str, new_steps: tuple[StepInfo, ...]) -> None:
        if new_steps:
            updates.append((final, partial))
        steps.extend(("".join(str(int(kept)) for kept in s.keep), s.upper_ran, s.waiting) for s in new_steps)

    samples = read_audio(audio)
    with recognizer.stream(threshold) as stream:
        for start in range(0, len(samples), BLOCK):
            update = stream.accept(samples[start : start + BLOCK])
            note(update.final, update.partial, update.new_steps)
        result = stream.finish()
    note(result.text, "", result.new_steps)
    return Heard(
        text=result.text,
        words=[(word.text, *times(word)) for word in result.words],
        confidences=[word.confidence for word in result.words],
        updates=updates,
        steps=steps,
        frames=result.counters.frames,
        kept_frames=result.counters.kept_frames,
    )


def times(word: Word) -> tuple[float, float]:
    return round(word.start_s, 4), round(word.end_s, 4)


def heard_by_runner(command: list[str]) -> Iterator[Heard]:
    """One for each file, from the lines of --json-steps, which hold each word once."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before: list[dict[str, Any]] = []
    for line in map(json.loads, done.stdout.splitlines()):
        if line.get("update"):
            before.append(line)
            continue
        words = [word for update in before for word in update["new_words"]]
        yield Heard(
            text=text_of(words),
            words=[(word["text"], word["start_s"], word["end_s"]) for word in words],
            confidences=[word["confidence"] for word in words],
            updates=list(texts_after(before)),
            steps=[(s["keep"], s["upper_ran"], s["waiting"]) for update in before for s in update["steps"]],
            frames=line["frames"],
            kept_frames=line["kept_frames"],
        )
        before = []


def text_of(words: list[dict[str, Any]]) -> str:
    return " ".join(word["text"] for word in words)


def texts_after(updates: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Final and partial text after each update that took a step."""
    words: list[dict[str, Any]] = []
    for update in updates:
        words += update["new_words"]
        if update["steps"]:
            yield text_of(words), update["partial"]


def compare(recognizer: Recognizer, command: list[str], audio: list[Path], threshold: float | None) -> int:
    """Asserts that both hear the same in each file; returns the number of words."""
    words = 0
    theirs = heard_by_runner(command)
    for name, found in zip(audio, theirs, strict=True):
        expected = heard_by_python(recognizer, name, threshold)
        assert found.text == expected.text, name
        assert found.updates == expected.updates, name
        assert found.steps == expected.steps, name
        assert (found.frames, found.kept_frames) == (expected.frames, expected.kept_frames), name
        assert found.words == expected.words, name
        assert found.confidences == pytest.approx(expected.confidences, abs=10**-CONFIDENCE_DIGITS), name
        words += len(found.words)
    return words


@pytest.fixture(scope="module")
def an4_wavs(an4_test: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """AN4's test utterances, which are FLAC, as WAV: the runner reads no other."""
    folder = tmp_path_factory.mktemp("an4")
    return [as_wav(utterance.audio, folder) for utterance in read_manifest(an4_test)]


def as_wav(audio: Path, folder: Path) -> Path:
    samples, rate_hz = soundfile.read(audio, dtype="int16")
    path = folder / f"{audio.stem}.wav"
    soundfile.write(path, samples, rate_hz)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [None, NEVER_SKIP], ids=["default", "off"])
def test_all_an4_test_utterances_are_heard_alike(
    native_build: Build, shipped_pte: Path, an4_wavs: list[Path], threshold: float | None
) -> None:
    command = [str(native_build.runner), "--model", str(shipped_pte), "--json-steps", *map(str, an4_wavs)]
    if threshold is not None:
        command += ["--threshold", "off"]
    with Recognizer.open(shipped_pte, backend="executorch-python") as recognizer:
        words = compare(recognizer, command, an4_wavs, threshold)
    assert len(an4_wavs) == 130
    assert words > 600


def test_a_tiny_model_is_heard_alike(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    command = [str(native_build.runner), "--model", str(tiny_pte), "--json-steps", "--threshold", "0.5", str(beeps)]
    with Recognizer.open(tiny_pte, backend="executorch-python") as recognizer:
        compare(recognizer, command, [beeps], 0.5)
