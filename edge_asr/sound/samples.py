"""Samples of one input, block by block, whatever its container."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import soundfile

from edge_asr.errors import EdgeAsrError
from edge_asr.sound.byte_stream import STDIN, ByteStream, open_descriptor_of
from edge_asr.sound.ogg import ogg_is_whole
from edge_asr.sound.wav import PCM, SampleFormat, WavHeader, is_wav, read_wav_header

HEAD_BYTES = 12  # that tell one container from another
ESTIMATED_LENGTH = ("MP3",)  # formats whose header may state another length than the file has
CONTAINERS = {b"RIFF": "a WAV", b"fLaC": "a FLAC", b"OggS": "an Ogg", b"ID3": "an MP3"}  # by first bytes


class Samples(Protocol):
    """An open input."""

    rate_hz: int
    channels: int
    frames: int | None  # samples of each channel; None where the header does not say, as in a pipe
    warnings: list[str]  # without the name of the input; grows while it is read

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Blocks of float32 [samples, channels], of at most `frames` samples; none is empty.

        Raises EdgeAsrError after the last block that could be read, where the input is damaged or cut short.
        """


class PlainSamples:
    """Uncompressed samples as they come: of a WAV file or stream, or without any header."""

    def __init__(self, stream: ByteStream, form: SampleFormat, header: WavHeader | None = None) -> None:
        self._stream = stream
        self._format = form
        self._header = header
        self.rate_hz, self.channels = form.rate_hz, form.channels
        self.warnings: list[str] = []
        self.frames: int | None = None
        if header and stream.size is not None:  # a file: the shorter of what it has and what it states
            there = stream.size - header.length_bytes
            self.frames = (there if header.is_open else min(there, header.stated_bytes)) // form.frame_bytes
        elif header and not header.is_open:
            self.frames = header.stated_bytes // form.frame_bytes

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        convert, frame_bytes = self._format.convert, self._format.frame_bytes
        assert convert is not None
        ends_at = None if self._header is None or self._header.is_open else self._header.stated_bytes
        rest, read = b"", 0
        while ends_at is None or read < ends_at:
            most = frames * frame_bytes - len(rest)
            data = self._stream.read(most if ends_at is None else min(most, ends_at - read))
            if not data:
                break
            read += len(data)
            data = rest + data
            whole = len(data) // frame_bytes * frame_bytes
            rest = data[whole:]
            if whole:
                yield convert(data[:whole]).reshape(-1, self.channels)
        self._judge_end(read)

    def _judge_end(self, read: int) -> None:
        header, stream = self._header, self._stream
        if header is None or stream.stopped:
            return
        if header.is_open and stream.is_file and read:  # into a pipe, no recorder knows the size
            self.warnings.append(f"its header says {header.stated_bytes} bytes, {read} are there: read to the end")
        elif not header.is_open and read < header.stated_bytes:
            byte_rate = self._format.frame_bytes * self.rate_hz
            raise cut_short(stream.title, read / byte_rate, header.stated_bytes / byte_rate)


class DecodedSamples:
    """What libsndfile decodes, from a file that can be sought in."""

    def __init__(self, title: str, file: soundfile.SoundFile, is_whole: Callable[[], bool]) -> None:
        """`is_whole` is asked at the end of the samples: False where the container breaks off before its own end."""
        self._title = title
        self._file = file
        self._is_whole = is_whole
        self.rate_hz, self.channels = file.samplerate, file.channels
        self.warnings: list[str] = []
        self.frames = file.frames

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        read = 0
        while True:
            block = np.empty((frames, self.channels), np.float32)
            try:
                block = self._file.read(out=block)
            except soundfile.SoundFileError:
                intact = self._file.tell() - read  # samples before the damage
                if 0 < intact <= frames:
                    yield block[:intact]
                raise cut_short(self._title, self._file.tell() / self.rate_hz) from None
            if not len(block):
                break
            read += len(block)
            yield block
        exact = self._file.format not in ESTIMATED_LENGTH
        if (exact and read < self.frames) or not self._is_whole():
            raise cut_short(self._title, read / self.rate_hz)


def cut_short(title: str, read_s: float, stated_s: float | None = None) -> EdgeAsrError:
    of = "" if stated_s is None else f" of the {stated_s:.2f} s that its header states"
    return EdgeAsrError(f"{title}: damaged or cut short after {read_s:.2f} s{of}: copy or record it again")


@contextmanager
def open_samples(stream: ByteStream) -> Iterator[Samples]:
    """The container of the stream, read once. WAV is decoded as it comes; another container in a pipe is kept in an
    anonymous temporary file first. Raises EdgeAsrError that names the input."""
    head = stream.peek(HEAD_BYTES)
    if not head and not stream.stopped:
        raise EdgeAsrError(f"{stream.title}: no audio came")
    header = None
    if is_wav(head):
        stream.mark()
        header = read_wav_header(stream)
        _require_sane(header.format, stream.title)
        if header.format.convert is not None:
            stream.forget_mark()
            yield PlainSamples(stream, header.format, header)
            return
        stream.rewind()
    with _decoder(stream, header) as (file, is_whole):
        yield DecodedSamples(stream.title, file, is_whole)


def raw_samples(stream: ByteStream, rate_hz: int, channels: int) -> PlainSamples:
    """16-bit little-endian samples without a header. Raises EdgeAsrError where it begins as a container does."""
    head = stream.peek(4)
    for magic, kind in CONTAINERS.items():
        if head.startswith(magic):
            raise EdgeAsrError(
                f"{stream.title}: this is {kind} file, not raw PCM: pass its name, or /dev/stdin in place of {STDIN}"
            )
    return PlainSamples(stream, SampleFormat(PCM, 16, channels, rate_hz))


def _require_sane(form: SampleFormat, title: str) -> None:
    if not form.channels or not form.rate_hz:
        raise EdgeAsrError(
            f"{title}: its WAV header has {form.channels} channels at {form.rate_hz} Hz: record or copy it again"
        )


@contextmanager
def _decoder(stream: ByteStream, header: WavHeader | None) -> Iterator[tuple[soundfile.SoundFile, Callable[[], bool]]]:
    """libsndfile's view of the stream, and whether the container reaches its own end."""
    # libsndfile knows some headerless kinds (.gsm, .vox) by the name
    named = stream.is_file and open_descriptor_of(stream.name) is None
    spooled = None if named else stream.spool()
    own = stream.descriptor if spooled is None else spooled
    try:
        with _opened(stream.title, _name_for_libsndfile(stream.name) if spooled is None else spooled) as file:
            yield file, lambda: _is_whole(own, file.format, header)
    finally:
        if spooled is not None:
            os.close(spooled)


def _is_whole(descriptor: int, container: str, header: WavHeader | None) -> bool:
    """Whether the file reaches the end that its container promises; True where that is not known."""
    if header is not None and not header.is_open:
        return os.fstat(descriptor).st_size >= header.length_bytes + header.stated_bytes
    return container != "OGG" or ogg_is_whole(descriptor)


def _name_for_libsndfile(name: str) -> str | bytes:
    return name if os.name == "nt" else os.fsencode(name)  # a name need not be UTF-8


def _opened(title: str, source: str | bytes | int) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(source, closefd=False)
    # soundfile raises TypeError where it takes the name of a file for that of headerless samples
    except (soundfile.SoundFileError, TypeError, OSError) as error:
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise EdgeAsrError(
            f"{title}: cannot be read as audio ({reason}): not audio, or damaged; convert it to WAV or FLAC"
        ) from None
