"""Streaming recognition: open a `.pte`, push PCM, read words.

>>> with Recognizer.open("model.pte") as recognizer:
...     stream = recognizer.stream()
...     for block in read_blocks("speech.wav", rate_hz=recognizer.metadata.sample_rate_hz):
...         print(stream.accept(block).text)
...     print(stream.finish().text)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np

from edge_asr.audio import read_blocks
from edge_asr.backends.choose import open_backend
from edge_asr.backends.protocol import Backend
from edge_asr.contract import NEVER_SKIP, Metadata
from edge_asr.ctc import Word
from edge_asr.decoder import Decoder, GateResult, decoder_of
from edge_asr.errors import EdgeAsrError

INT16_SCALE = 1 / 32_768
LARGEST_SAMPLE = 64.0  # float audio may exceed 1 a little; beyond this it was scaled as integers are

Threshold = float | Literal["off"] | None


@dataclass(frozen=True)
class Counters:
    """What a stream has cost so far."""

    frames: int = 0  # frames of audio
    kept_frames: int = 0  # of them, kept for the upper stack
    upper_runs: int = 0  # steps in which the upper stack ran
    steps: int = 0  # calls of the program
    audio_s: float = 0.0  # seconds of audio consumed by the steps, padding excluded
    compute_s: float = 0.0  # wall clock inside the backend's step, and nothing else


@dataclass(frozen=True)
class StepInfo:
    """One step, for those who watch the gate at work."""

    keep: tuple[bool, ...]  # of the step's frames: True where kept for the upper stack
    upper_ran: bool  # whether the upper stack ran
    waiting: int  # kept frames that still wait for it
    latency_ms: float  # wall clock of the step


@dataclass(frozen=True)
class Update:
    """What is known after some PCM. `final` only ever grows; `partial` is what follows it, and may change."""

    final: str  # words that will not change any more, separated by spaces
    partial: str  # the words after `final`; the last one may still be growing
    changed: bool  # whether `final` or `partial` differ from the update before
    new_words: tuple[Word, ...]  # words that became final with this update
    partial_words: tuple[Word, ...]  # the words of `partial`
    new_steps: tuple[StepInfo, ...]  # the steps this update took; none where the chunk is not yet full
    counters: Counters  # since the start of the stream

    @property
    def text(self) -> str:
        """All that was heard, final and partial."""
        return _join(self.final, self.partial)


@dataclass(frozen=True)
class Result:
    """A finished stream."""

    text: str  # all words, separated by spaces
    words: tuple[Word, ...]  # all words
    new_words: tuple[Word, ...]  # words that became final with the end of the stream
    new_steps: tuple[StepInfo, ...]  # the steps that `finish` took
    counters: Counters  # of the whole stream

    @property
    def final(self) -> str:
        """The text, under the name it has in an Update."""
        return self.text


class Recognizer:
    """A loaded model. It lends one program to each open stream, and loads another where all are lent.

    Streams may run in different threads, one thread a stream.
    """

    def __init__(self, load: Callable[[], Backend]) -> None:
        """`load` opens the program once more; `Recognizer.open` is the usual way in. Raises what `load` raises."""
        first = decoder_of(load())
        self.metadata: Metadata = first.metadata
        self.backend_name: str = first.name
        self._load = load
        self._idle = [first]
        self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path | str, threads: int = 1, backend: str | None = None) -> Recognizer:
        """Load a `.pte` with the named backend, or the best one installed. `threads` are the runtime's.

        Raises EdgeAsrError where the file or the backend is unfit.
        """
        return cls(lambda: open_backend(path, threads=threads, name=backend))

    def stream(self, threshold: Threshold = None) -> Stream:
        """Start a stream. A frame is skipped where its blank probability is above `threshold`, 0 to 1.

        None takes the model's own threshold; "off", the same as 1, never skips. Raises EdgeAsrError.
        """
        value = _threshold(threshold, self.metadata.default_threshold)
        with self._lock:
            if self._closed:
                raise EdgeAsrError("this recognizer is closed: open the model again")
            decoder = self._idle.pop() if self._idle else None
        return Stream(decoder or decoder_of(self._load()), value, self._take_back)

    def transcribe(self, audio: Path | str | np.ndarray | Iterable[np.ndarray], threshold: Threshold = None) -> Result:
        """A whole recording: an audio file of any kind, which is resampled, or mono PCM at the model's rate
        (`metadata.sample_rate_hz`) in one array or in blocks."""
        if isinstance(audio, (str, Path)):
            blocks: Iterable[np.ndarray] = read_blocks(audio, rate_hz=self.metadata.sample_rate_hz)
        else:
            blocks = [audio] if isinstance(audio, np.ndarray) else audio
        with self.stream(threshold) as stream:
            for block in blocks:
                stream.accept(block)
            return stream.finish()

    def close(self) -> None:
        """Free the programs that are not lent. Open streams may go on to their end."""
        with self._lock:
            self._closed = True
            self._idle.clear()

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_back(self, decoder: Decoder) -> None:
        decoder.reset()
        with self._lock:
            if not self._closed:
                self._idle.append(decoder)


@dataclass
class _Tally:
    """Counters while they grow."""

    sample_rate_hz: int
    frames: int = 0
    kept_frames: int = 0
    upper_runs: int = 0
    steps: int = 0
    samples: int = 0
    compute_s: float = 0.0
    infos: list[StepInfo] = field(default_factory=list)  # since the last answer

    def counters(self) -> Counters:
        audio_s = self.samples / self.sample_rate_hz
        return Counters(self.frames, self.kept_frames, self.upper_runs, self.steps, audio_s, self.compute_s)

    def take_infos(self) -> tuple[StepInfo, ...]:
        infos, self.infos = tuple(self.infos), []
        return infos


class Stream:
    """One utterance or one endless microphone. Made by `Recognizer.stream`; use it from one thread at a time.

    `finish` or `close` gives the program back to the recognizer; a `with` block closes. Where a step fails, the stream
    is over, as a part of the audio is lost, and its program is dropped: nobody knows what state it is in.
    """

    def __init__(self, decoder: Decoder, threshold: float, give_back: Callable[[Decoder], None]) -> None:
        metadata = decoder.metadata
        self._decoder: Decoder | None = decoder
        self._threshold = threshold
        self._give_back = give_back
        self._frame_samples = metadata.frame_samples
        self._sample_rate_hz = metadata.sample_rate_hz
        self._chunk = np.zeros(metadata.chunk_samples, np.float32)
        self._filled = 0  # samples of the chunk that are real
        self._accepted = 0  # samples since the start of the stream
        self._waiting = 0
        self._words: list[Word] = []  # all of them, for the result: the text is the one thing that grows
        self._final = ""
        self._partial_words: tuple[Word, ...] = ()
        self._tally = _Tally(metadata.sample_rate_hz)

    def accept(self, pcm: np.ndarray) -> Update:
        """Push any number of samples: mono at the model's rate (`Recognizer.metadata.sample_rate_hz`), [samples],
        float32 in [-1, 1] or int16.

        How the samples are cut over calls does not change the text. Raises EdgeAsrError where the array is something
        else, which leaves the stream as it was, where a step fails, which ends it, and where it is over.
        """
        decoder = self._require_open()
        samples = self._checked(pcm)
        partial_before, new_words, done = self._partial_words, [], 0
        while done < len(samples):
            count = min(len(samples) - done, len(self._chunk) - self._filled)
            self._chunk[self._filled : self._filled + count] = samples[done : done + count]
            self._filled += count
            done += count
            if self._filled == len(self._chunk):
                new_words += self._step(flush=False)
        self._accepted += len(samples)
        infos = self._tally.take_infos()
        if infos:
            self._partial_words = tuple(decoder.partial_words())
        return Update(
            final=self._final,
            partial=_text(self._partial_words),
            changed=bool(new_words) or _text(self._partial_words) != _text(partial_before),
            new_words=tuple(new_words),
            partial_words=self._partial_words,
            new_steps=infos,
            counters=self._tally.counters(),
        )

    def finish(self) -> Result:
        """End the stream: run what waits, give the program back. Raises EdgeAsrError where a step fails, which ends the
        stream too, and where it is over."""
        decoder = self._require_open()
        new_words: list[Word] = []
        if self._filled:
            new_words += self._step(flush=True)
        while self._waiting:
            before = self._waiting
            new_words += self._step(flush=True)
            if self._waiting >= before:
                self._decoder = None
                raise EdgeAsrError("the model does not end its stream (flushing resolves no frame): export it again")
        new_words += self._settle(decoder.finish())
        self.close()
        return Result(
            text=self._final,
            words=tuple(self._words),
            new_words=tuple(new_words),
            new_steps=self._tally.take_infos(),
            counters=self._tally.counters(),
        )

    def close(self) -> None:
        """Give the program back without an answer. Harmless where the stream is over."""
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._give_back(decoder)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _step(self, flush: bool) -> list[Word]:
        """Run the chunk as far as it is filled, zeros after that."""
        decoder, self._decoder = self._require_open(), None  # should it fail
        samples, self._filled = self._filled, 0
        self._chunk[samples:] = 0
        frames = -(-samples // self._frame_samples)
        started_s = time.perf_counter()
        result = decoder.advance(self._chunk, frames, self._threshold, flush)
        self._count(result, frames, samples, time.perf_counter() - started_s)
        words = self._settle(decoder.decode(samples))
        self._decoder = decoder
        return words

    def _count(self, result: GateResult, frames: int, samples: int, step_s: float) -> None:
        self._waiting = result.waiting
        self._tally.infos.append(StepInfo(result.keep, result.upper_ran, result.waiting, 1_000 * step_s))
        self._tally.frames += frames
        self._tally.kept_frames += sum(result.keep)
        self._tally.upper_runs += result.upper_ran
        self._tally.steps += 1
        self._tally.samples += samples
        self._tally.compute_s += step_s

    def _settle(self, words: list[Word]) -> list[Word]:
        if words:
            self._words += words
            self._final = _join(self._final, _text(words))
        return words

    def _require_open(self) -> Decoder:
        if self._decoder is None:
            raise EdgeAsrError("this stream is over: start another with recognizer.stream()")
        return self._decoder

    def _checked(self, pcm: np.ndarray) -> np.ndarray:
        if not isinstance(pcm, np.ndarray):
            raise EdgeAsrError(f"PCM must be a numpy array of float32 or int16, not {type(pcm).__name__}")
        if pcm.ndim != 1:
            raise EdgeAsrError(f"PCM must be mono, [samples], not of shape {list(pcm.shape)}: pass one channel")
        if pcm.dtype == np.int16:
            return pcm.astype(np.float32) * np.float32(INT16_SCALE)
        if pcm.dtype != np.float32:
            raise EdgeAsrError(f"PCM must be float32 in [-1, 1] or int16, not {pcm.dtype}: convert it")
        finite = np.isfinite(pcm)
        if not finite.all():
            at_s = (self._accepted + int(np.argmin(finite))) / self._sample_rate_hz
            raise EdgeAsrError(
                f"the PCM sample at {at_s:.2f} s is not a finite number (NaN or infinite): mend its source"
            )
        if len(pcm) and (peak := float(np.abs(pcm).max())) > LARGEST_SAMPLE:
            raise EdgeAsrError(
                f"float PCM must lie in [-1, 1], this reaches {peak:.0f}: pass int16, or divide by 32768"
            )
        return pcm


def _threshold(threshold: Threshold, default: float) -> float:
    if threshold is None:
        return default
    if threshold == "off":
        return NEVER_SKIP
    if isinstance(threshold, (bool, str)) or not 0 <= threshold <= 1:
        raise EdgeAsrError(f"threshold must lie between 0 and 1, or be 'off', not {threshold!r}")
    return float(threshold)


def _text(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


def _join(first: str, second: str) -> str:
    return f"{first} {second}" if first and second else first or second
