"""Audio files to mono float32 at a rate, 16 kHz if none is asked for, whole or block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edge_asr.errors import EdgeAsrError

SAMPLE_RATE_HZ = 16_000  # of training, and of every model that is not made for another
BLOCK_S = 1.0


def read_audio(path: Path | str, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """A whole file as float32 [samples] at `rate_hz`: the blocks of `read_blocks`, joined. Raises EdgeAsrError."""
    return np.concatenate(list(read_blocks(path, rate_hz=rate_hz)))


def read_blocks(path: Path | str, block_s: float = BLOCK_S, rate_hz: int = SAMPLE_RATE_HZ) -> Iterator[np.ndarray]:
    """A file as float32 [samples] blocks at `rate_hz`, channels averaged, in memory that does not grow with the file.

    A block holds about `block_s` seconds; none is empty. Raises EdgeAsrError, on the first block or a later one, where
    the file cannot be read, holds no samples, or holds a sample that is not a finite number.
    """
    with _reading(path), soundfile.SoundFile(path) as file:
        file_hz = file.samplerate
        size = max(1, round(block_s * file_hz))
        resampler = None
        if file_hz != rate_hz:
            resampler = soxr.ResampleStream(file_hz, rate_hz, 1, dtype="float32")
        read = given = 0
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            _require_finite(block, path, start_s=read / file_hz, rate_hz=file_hz)
            mono = block.mean(axis=1)
            read += len(mono)
            if resampler is not None:
                mono = resampler.resample_chunk(mono)
            if len(mono):
                given += len(mono)
                yield mono
        if resampler is not None:
            tail = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            given += len(tail)
            if len(tail):
                yield tail
        if not given:
            raise EdgeAsrError(f"{path}: no samples in this audio file: record it again")


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play float32 [samples], of any rate, faster (speed > 1) or slower, pitch and all."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ)  # only the ratio counts


def duration_s(path: Path | str) -> float:
    """Seconds of audio, as the file's header states them. Raises EdgeAsrError."""
    with _reading(path), soundfile.SoundFile(path) as file:
        return float(file.frames / file.samplerate)


@contextmanager
def _reading(path: Path | str) -> Iterator[None]:
    """Turn what can be wrong with an audio file into one line that names it."""
    path = Path(path)
    if not path.exists():
        raise EdgeAsrError(f"{path}: no such audio file")
    if path.is_dir():
        raise EdgeAsrError(f"{path}: a folder, not an audio file: name one of its files")
    if path.is_file() and path.stat().st_size == 0:
        raise EdgeAsrError(f"{path}: the file is empty (0 bytes): record or copy it again")
    try:
        yield
    # soundfile raises TypeError where it takes the name of a file for that of headerless samples
    except (soundfile.SoundFileError, TypeError, OSError) as error:
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise EdgeAsrError(
            f"{path}: cannot be read as audio ({reason}): not audio, or damaged; convert it to WAV or FLAC"
        ) from None


def _require_finite(block: np.ndarray, path: Path | str, start_s: float, rate_hz: int) -> None:
    """`block` is [samples, channels]."""
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        at_s = start_s + int(np.argmin(finite)) / rate_hz
        raise EdgeAsrError(
            f"{path}: a sample at {at_s:.2f} s is not a finite number (NaN or infinite): export the audio again"
        )
