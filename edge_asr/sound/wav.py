"""WAV as a stream: a header that is read front to back, and samples until they end.

Sources: Microsoft's "Multiple Channel Audio Data and WAVE Files" for the `fmt ` chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.sound.byte_stream import ByteStream

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN_BYTES = 0x7FFFF000  # recorders into a pipe write this much or more as the size that they cannot know
FORMAT_BYTES = 16  # of the shortest `fmt ` chunk
MOST_FORMAT_BYTES = 65_536

Convert = Callable[[bytes], np.ndarray]  # float32 [samples] in [-1, 1]


def _from_8_bits(data: bytes) -> np.ndarray:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128


def _from_16_bits(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i2").astype(np.float32) / 32_768


def _from_24_bits(data: bytes) -> np.ndarray:
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the top bytes of 32 bits
    return _from_32_bits(padded.tobytes())


def _from_32_bits(data: bytes) -> np.ndarray:
    return (np.frombuffer(data, "<i4") / 2_147_483_648).astype(np.float32)


def _from_float(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _from_double(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<f8").astype(np.float32)


CONVERSIONS: dict[tuple[int, int], Convert] = {  # by format and bits a sample
    (PCM, 8): _from_8_bits,
    (PCM, 16): _from_16_bits,
    (PCM, 24): _from_24_bits,
    (PCM, 32): _from_32_bits,
    (FLOAT, 32): _from_float,
    (FLOAT, 64): _from_double,
}


@dataclass(frozen=True)
class SampleFormat:
    """How samples lie in bytes: little-endian, channels interleaved."""

    code: int  # PCM or FLOAT; of another kind `convert` has none
    bits: int  # a sample
    channels: int
    rate_hz: int

    @property
    def convert(self) -> Convert | None:
        return CONVERSIONS.get((self.code, self.bits))

    @property
    def frame_bytes(self) -> int:
        """Of a sample of every channel."""
        return self.channels * self.bits // 8


@dataclass(frozen=True)
class WavHeader:
    """What stands before the first sample."""

    format: SampleFormat
    stated_bytes: int  # of samples, as the header has it
    is_open: bool  # the recorder had not written the size yet: samples go on to the end
    length_bytes: int  # of the header itself


def is_wav(head: bytes) -> bool:
    """Of the first 12 bytes."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def read_wav_header(stream: ByteStream) -> WavHeader:
    """Read up to the first sample. Raises EdgeAsrError where the header is damaged or cut short."""
    riff_bytes = struct.unpack("<4xI4x", stream.read_exactly(12))[0]
    done = 12
    form: SampleFormat | None = None
    while len(head := stream.read_exactly(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        done += 8
        if kind == b"data" and form is not None:
            return WavHeader(form, size, _is_open(size, riff_bytes, done), done)
        padded = size + size % 2
        if kind == b"fmt ":
            body = stream.read_exactly(padded) if size <= MOST_FORMAT_BYTES else b""
            if len(body) < max(size, FORMAT_BYTES):
                break
            form = _parse_format(body)
        elif not stream.skip(padded):
            break
        done += padded
    raise EdgeAsrError(f"{stream.title}: its WAV header is damaged or cut short: record or copy it again")


def _is_open(size: int, riff_bytes: int, header_bytes: int) -> bool:
    """A size of 0 is true where the outer size counts something that follows; else no size was written yet."""
    if size == 0:
        return riff_bytes + 8 <= header_bytes or riff_bytes >= UNKNOWN_BYTES
    return size >= UNKNOWN_BYTES


def _parse_format(body: bytes) -> SampleFormat:
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == EXTENSIBLE and len(body) >= 26:
        code = struct.unpack_from("<H", body, 24)[0]
    return SampleFormat(code, bits, channels, rate_hz)
