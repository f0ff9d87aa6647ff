"""A model that needs no file, and audio for it: it hears BEEP in every tone."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.backends.protocol import StepResult
from edge_asr.contract import CONTRACT_VERSION, Metadata

FRAME_SAMPLES = 640
CHUNK_FRAMES = 16


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


def beep_samples(pattern: str, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """float [samples]: 0.2 s of tone for each `x` of the pattern and 0.2 s of silence for each `.`"""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz // 5) / rate_hz)
    return np.concatenate([tone * (mark == "x") for mark in pattern])


def beep_pcm(pattern: str, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """The same as 16-bit little-endian PCM."""
    return (beep_samples(pattern, rate_hz) * 32_767).astype("<i2").tobytes()


def write_beeps(path: Path, pattern: str, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    """The same as an audio file."""
    soundfile.write(path, beep_samples(pattern, rate_hz), rate_hz)
    return path


def riff(pcm: bytes, size: int | None = None, riff_size: int | None = None, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """A mono 16-bit WAV file whose header states `size` bytes of samples, and `riff_size` after its first 8 bytes."""
    size = len(pcm) if size is None else size
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    outer = 36 + size if riff_size is None else riff_size
    head = b"RIFF" + struct.pack("<I", outer & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", size & 0xFFFFFFFF) + pcm


def write_manifest(path: Path, entries: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path
