"""Audio of any kind to mono float32 at the model's rate, whole or block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from edge_asr.errors import EdgeAsrError
from edge_asr.sound.byte_stream import STDIN, ByteStream, Wait, open_descriptor_of, wait_readable
from edge_asr.sound.channels import MIX, Channel, Mono
from edge_asr.sound.input_checks import InputChecks
from edge_asr.sound.samples import Samples, open_samples, raw_samples

SAMPLE_RATE_HZ = 16_000  # of training, and of every model that is not made for another
AS_RECORDED = 1.0  # speed
BLOCK_S = 1.0


@dataclass(frozen=True)
class RawFormat:
    """16-bit little-endian PCM without a header."""

    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 1


class AudioReader:
    """One input, which is opened once and read once: a file, a pipe, or `-`, which is stdin.

    `warnings` holds what a user should know about the input, without its name; it is complete once `blocks` has ended.
    """

    def __init__(
        self,
        name: Path | str,
        rate_hz: int = SAMPLE_RATE_HZ,
        channel: Channel = MIX,
        raw: RawFormat | None = None,
        wait: Wait = wait_readable,
    ) -> None:
        """`rate_hz` is that of the blocks. With `raw`, the input has no header. Where `wait` returns False, the input
        ends there, which is no error."""
        self.title = "stdin" if str(name) == STDIN else str(name)  # for messages
        self.rate_hz = rate_hz
        self._name = name
        self._channel = channel
        self._raw = raw
        self._wait = wait
        self.warnings: list[str] = []

    def blocks(self, block_s: float = BLOCK_S) -> Iterator[np.ndarray]:
        """Blocks of float32 [samples], about `block_s` seconds of a file and less of a pipe; none is empty.

        Memory does not grow with the input. Raises EdgeAsrError, on the first block or a later one, where the input
        cannot be read, holds no samples, holds one that is not a finite number, or is cut short: after its last block.
        """
        with ByteStream(self._name, self._wait) as stream:
            try:
                with self._opened(stream) as samples:
                    yield from self._mono_blocks(stream, samples, block_s)
            except EdgeAsrError:
                if not stream.stopped:  # what breaks off then does so because the user wants it to
                    raise

    @contextmanager
    def _opened(self, stream: ByteStream) -> Iterator[Samples]:
        if self._raw is not None:
            yield raw_samples(stream, self._raw.rate_hz, self._raw.channels)
            return
        with open_samples(stream) as samples:
            yield samples

    def _mono_blocks(self, stream: ByteStream, samples: Samples, block_s: float) -> Iterator[np.ndarray]:
        mono = Mono(stream.title, samples.channels, self._channel)
        resampled = Resampler(samples.rate_hz, self.rate_hz)
        checks = InputChecks(1 if self._channel else samples.channels)
        read = given = 0
        trouble: EdgeAsrError | None = None
        try:
            for block in samples.blocks(max(1, round(block_s * samples.rate_hz))):
                require_finite(block, stream.title, start_s=read / samples.rate_hz, rate_hz=samples.rate_hz)
                checks.take(mono.used(block))
                read += len(block)
                if len(out := resampled.take(mono.take(block))):
                    given += len(out)
                    yield out
        except EdgeAsrError as error:
            trouble = error  # what came before is whole, and the resampler still holds some of it
        if len(tail := resampled.finish()):
            given += len(tail)
            yield tail
        self.warnings += [*samples.warnings, *checks.warnings(), *mono.warnings()]
        if trouble is not None:
            raise trouble
        if not given and not stream.stopped:
            expected = " (raw 16-bit PCM is expected)" if self._raw else ""
            raise EdgeAsrError(f"{stream.title}: no samples in this audio{expected}: record it again")


class Resampler:
    """A stream of float32 [samples] from one rate to another."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def take(self, block: np.ndarray) -> np.ndarray:
        return block if self._stream is None else self._stream.resample_chunk(block)

    def finish(self) -> np.ndarray:
        """What is still held back."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._stream.resample_chunk(nothing, last=True)


def read_audio(path: Path | str, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """A whole file as float32 [samples] at `rate_hz`: the blocks of `read_blocks`, joined. Raises EdgeAsrError."""
    return np.concatenate(list(read_blocks(path, rate_hz=rate_hz)))


def read_blocks(path: Path | str, block_s: float = BLOCK_S, rate_hz: int = SAMPLE_RATE_HZ) -> Iterator[np.ndarray]:
    """A file as float32 [samples] blocks at `rate_hz`, channels averaged; see `AudioReader.blocks`."""
    return AudioReader(path, rate_hz).blocks(block_s)


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play float32 [samples], of any rate, faster (speed > 1) or slower, pitch and all."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ)  # only the ratio counts


def duration_s(path: Path | str) -> float | None:
    """Seconds of audio, as the header states them; None of what is not a regular file, which is then not read: it can
    be read only once. Raises EdgeAsrError."""
    if not can_be_read_twice(path):
        return None
    with ByteStream(path) as stream, open_samples(stream) as samples:
        return None if samples.frames is None else samples.frames / samples.rate_hz


def can_be_read_twice(path: Path | str) -> bool:
    """Whether looking at its header takes nothing away from who reads it."""
    kind = Path(path)
    is_pipe = kind.exists() and not kind.is_file() and not kind.is_dir()
    return open_descriptor_of(str(path)) is None and not is_pipe


def require_finite(block: np.ndarray, title: str, start_s: float, rate_hz: int) -> None:
    """`block` is [samples, channels]. Raises EdgeAsrError that names the second."""
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        at_s = start_s + int(np.argmin(finite)) / rate_hz
        raise EdgeAsrError(
            f"{title}: a sample at {at_s:.2f} s is not a finite number (NaN or infinite): export the audio again"
        )
