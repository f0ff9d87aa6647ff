"""A command line that runs in this process, and a model that needs no file: it hears BEEP in every tone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_asr import recognizer
from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.backends.protocol import StepResult
from edge_asr.cli import main
from edge_asr.contract import CONTRACT_VERSION, Metadata

FRAME_SAMPLES = 640
CHUNK_FRAMES = 16


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def assert_fails(self, *parts: str, code: int = 1) -> None:
        """One line on stderr, nothing on stdout, and the line holds each part."""
        assert self.code == code, self
        assert self.out == ""
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("edge-asr")
        assert "Traceback" not in self.err
        for part in parts:
            assert part in self.err


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("evaluate", manifest, "--json")` -> Outcome."""

    def run_line(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_line


class BeepBackend:
    """Blank where a frame is quiet, one token where it is loud; every kept frame is resolved in its own step."""

    name = "beep"
    metadata = Metadata(
        contract_version=CONTRACT_VERSION,
        sample_rate_hz=SAMPLE_RATE_HZ,
        chunk_samples=CHUNK_FRAMES * FRAME_SAMPLES,
        chunk_frames=CHUNK_FRAMES,
        frame_samples=FRAME_SAMPLES,
        blank_id=0,
        pieces=("<blank>", "▁BEEP"),
        default_threshold=0.9,
        precision="int8",
        lower_layers=1,
        upper_layers=1,
        training={},
        exporter={},
    )

    def __init__(self) -> None:
        self.frame = 0

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        loudness = np.sqrt((pcm.reshape(CHUNK_FRAMES, FRAME_SAMPLES) ** 2).mean(axis=1))
        blank = np.where(loudness > 0.05, 0.01, 0.99).astype(np.float32)
        log_probs = np.log(np.stack([blank, 1 - blank], axis=1))
        keep = (blank <= threshold) & (np.arange(CHUNK_FRAMES) < frames)
        index = np.flatnonzero(keep) + self.frame
        self.frame += frames
        return StepResult(partial=log_probs, keep=keep, final=log_probs[keep], index=index, waiting=0)

    def reset(self) -> None:
        self.frame = 0


@pytest.fixture
def beep_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a model that is always the beep model."""
    path = tmp_path / "beep.pte"
    path.write_bytes(b"beep")
    monkeypatch.setattr(recognizer, "open_backend", lambda path, threads, name: BeepBackend())
    return path


def write_beeps(path: Path, pattern: str, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    """Write 0.2 s of tone for each `x` of the pattern and 0.2 s of silence for each `.`"""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz // 5) / rate_hz)
    soundfile.write(path, np.concatenate([tone * (mark == "x") for mark in pattern]), rate_hz)
    return path


def write_manifest(path: Path, entries: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


@pytest.fixture
def beeps(tmp_path: Path) -> Path:
    """1.2 s with two tones."""
    return write_beeps(tmp_path / "beeps.wav", ".x..x.")


@pytest.fixture
def beep_manifest(tmp_path: Path) -> Path:
    """Two utterances, five reference words: one is deleted, one substituted, none inserted."""
    write_beeps(tmp_path / "one.wav", ".x.x.")
    write_beeps(tmp_path / "two.wav", "..x.x..")
    entries = [
        {"audio_filepath": "one.wav", "text": "BEEP BEEP BEEP", "duration": 1.0},
        {"audio_filepath": "two.wav", "text": "BEEP BOP"},
    ]
    return write_manifest(tmp_path / "manifest.jsonl", entries)
