"""The cross-built runner on an emulated Arm core, on real speech. What it takes there in time says nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.manifest import read_manifest
from edge_asr.metrics import error_rates
from edge_asr.native.build import Build
from edge_asr.native.bundle import RUNNER, Facts, make_bundle
from edge_asr.native.target import named_target
from edge_asr.recognizer import Recognizer

UTTERANCES = 26  # every fifth of AN4's 130

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def speech(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Utterances spread evenly over AN4's test split, as 16-bit WAV."""
    folder = tmp_path_factory.mktemp("speech")
    written = []
    utterances = read_manifest(data_folder / "an4" / "test.jsonl")
    for utterance in utterances[:: len(utterances) // UTTERANCES][:UTTERANCES]:
        path = folder / f"{utterance.audio.stem}.wav"
        soundfile.write(path, read_audio(utterance.audio), SAMPLE_RATE_HZ, subtype="PCM_16")
        written.append(path)
    return written


@pytest.fixture(scope="module")
def board(aarch64_build: Build, shipped_pte: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    folder = tmp_path_factory.mktemp("bundle") / "board"
    return folder, make_bundle(named_target("linux-aarch64"), folder, shipped_pte)


def emulated(qemu: list[str], board: Path, speech: list[Path], *options: str) -> dict[str, dict[str, Any]]:
    """File name -> what the runner says of it, all in one process."""
    line = [*qemu, board / RUNNER, "--json", *options, *speech]
    done = subprocess.run([str(part) for part in line], capture_output=True, text=True, env={}, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(text) for text in done.stdout.splitlines()]
    return {Path(answer["audio"]).name: answer for answer in answers}


OTHER_WORDS_PERCENT = {"default": 0.0, "off": 1.0}  # by threshold


@pytest.mark.parametrize("threshold", ["default", "off"])
def test_arm_hears_what_this_machine_hears(
    qemu_aarch64: list[str],
    board: tuple[Path, Facts],
    speech: list[Path],
    shipped_pte: Path,
    threshold: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its int8 kernels are others, and round otherwise: that may move a frame over the threshold, and rarely a word."""
    options = [] if threshold == "default" else ["--threshold", threshold]
    arm = emulated(qemu_aarch64, board[0], speech, *options)
    assert len(arm) == len(speech) >= 20
    texts, other_frames, confidence = [], [], []
    with Recognizer.open(shipped_pte, backend="executorch-python") as recognizer:
        for path in speech:
            here, there = recognizer.transcribe(path, None if threshold == "default" else "off"), arm[path.name]
            texts.append((here.text, there["text"]))
            assert there["frames"] == here.counters.frames
            other_frames.append(abs(there["kept_frames"] - here.counters.kept_frames))
            if there["text"] == here.text:
                pairs = zip(there["words"], here.words, strict=True)
                confidence += [abs(word["confidence"] - other.confidence) for word, other in pairs]
    rates = error_rates(*zip(*texts, strict=True))
    with capsys.disabled():
        print(
            f"\naarch64 against {shipped_pte.name} here, threshold {threshold}: {len(speech)} utterances, "
            f"{rates.reference_words} words, {rates.wer:.2f} % of them differ, "
            f"kept frames differ in {np.count_nonzero(other_frames)} utterances ({sum(other_frames)} frames in all), "
            f"confidence by {max(confidence):.4f} at most"
        )
    assert rates.wer <= OTHER_WORDS_PERCENT[threshold]
    assert sum(other_frames) <= 0.01 * sum(answer["frames"] for answer in arm.values())


def test_the_bundle_says_what_it_needs(board: tuple[Path, Facts]) -> None:
    folder, facts = board
    assert facts.target == "linux-aarch64"
    assert facts.glibc.startswith("2.")
    assert "Linux on aarch64" in (folder / "README.txt").read_text()
    for path in (folder / RUNNER, *folder.glob("*.so*")):
        assert path.read_bytes()[18] == 183, path.name  # e_machine: AArch64
