"""CTC greedy decoding on the merged time line: skipped frames, waiting frames and resolved frames in one sequence.

Every frame has exactly one token on the line:

- skipped by the gate: blank, for good;
- kept, not yet through the upper stack: what the intermediate head says, for now;
- kept and resolved: what the final head says, for good.

The line is collapsed as CTC prescribes, so a letter on both sides of a skipped frame is two letters.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from edge_asr.backends.protocol import StepResult
from edge_asr.errors import EdgeAsrError
from edge_asr.tokens import WORD_START, Tokens


def collapse(ids: Iterable[int], blank_id: int) -> list[int]:
    """Drop repeats, then blanks (Graves et al. 2006)."""
    out: list[int] = []
    previous = blank_id
    for token in ids:
        if token != previous and token != blank_id:
            out.append(token)
        previous = token
    return out


@dataclass(frozen=True)
class Word:
    """A recognized word and where it was heard. CTC emits late and briefly: times are good to about 0.1 s."""

    text: str
    start_s: float  # start of the frame that emitted its first piece
    end_s: float  # end of the last frame that emitted its last piece, or of the audio, where that comes first
    confidence: float  # 0 to 1: geometric mean over its pieces of the piece's highest frame probability


@dataclass(frozen=True)
class Clock:
    """How frames lie in the audio."""

    frame_samples: int
    sample_rate_hz: int


@dataclass(frozen=True)
class _Frame:
    """A kept frame on the line."""

    number: int  # counted from the start of the stream
    token: int  # the head's best id
    log_probability: float  # of that id


@dataclass(frozen=True)
class _Part:
    """A run of one token inside one word: what the word's text, times and confidence are made of."""

    text: str
    first_frame: int
    last_frame: int
    log_probability: float  # the highest of its frames


@dataclass(frozen=True)
class _Span:
    """A word that is complete, in frames."""

    text: str
    first_frame: int
    last_frame: int
    confidence: float


class TimeLine:
    """Words from the results of the steps, incrementally.

    Keeps the frames that wait and the pieces of the last word, and no other frame: memory grows with neither silence
    nor speech, as finished words are returned and forgotten.
    """

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._clock = clock
        self._frames = 0
        self._samples = 0
        self._resolved = _Collapser(tokens)
        self._waiting: deque[_Frame] = deque()

    def add(self, result: StepResult, samples: int) -> list[Word]:
        """Take one step's result, whose chunk had `samples` real ones. Only a stream's last chunk may end in a frame.

        Returns the words that are final from now on: every frame up to the first piece of the next word is resolved.
        Raises EdgeAsrError where the result breaks the contract: frames resolved out of order or never kept, a log
        probability that is not finite, another number of waiting frames.
        """
        frames = -(-samples // self._clock.frame_samples)
        if frames:
            best = result.partial[:frames].argmax(axis=1)
            for row in np.flatnonzero(result.keep[:frames]).tolist():
                self._waiting.append(_frame(self._frames + row, int(best[row]), result.partial[row]))
        self._frames += frames
        self._samples += samples
        spans: list[_Span] = []
        for row, number in enumerate(result.index.tolist()):
            if not self._waiting or self._waiting[0].number != number:
                raise EdgeAsrError(f"the model resolved frame {number}, which was not next: export it again")
            self._waiting.popleft()
            spans += self._resolved.add(_frame(number, int(result.final[row].argmax()), result.final[row]))
        if result.waiting != len(self._waiting):
            raise EdgeAsrError(
                f"the model says that {result.waiting} frames wait, and {len(self._waiting)} do: export it again"
            )
        return self._timed(spans)

    def partial_words(self) -> list[Word]:
        """What follows the final words, as far as it can be told now. Any of it may change."""
        ahead = self._resolved.copy()
        spans = [span for frame in self._waiting for span in ahead.add(frame)]
        return self._timed(spans + ahead.finish())

    def finish(self) -> list[Word]:
        """The stream has ended and nothing waits: the last word is final, too."""
        return self._timed(self._resolved.finish())

    def _timed(self, spans: Iterable[_Span]) -> list[Word]:
        step, rate_hz = self._clock.frame_samples, self._clock.sample_rate_hz
        return [
            Word(
                text=span.text,
                start_s=span.first_frame * step / rate_hz,
                end_s=min((span.last_frame + 1) * step, self._samples) / rate_hz,
                confidence=span.confidence,
            )
            for span in spans
        ]


def _frame(number: int, token: int, log_probabilities: np.ndarray) -> _Frame:
    """Raises EdgeAsrError where one of them is NaN or infinite."""
    if not np.isfinite(log_probabilities).all():
        raise EdgeAsrError(f"the model gave a log probability that is not finite for frame {number}: export it again")
    return _Frame(number, token, float(log_probabilities[token]))


class _Collapser:
    """CTC collapse of kept frames, in order, into words. Frame numbers that are missing are blank."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._previous: _Frame | None = None
        self._parts: list[_Part] = []  # of the word that may still grow
        self._in_run = False  # the last part ends at the previous frame, so that a repeat belongs to it

    def copy(self) -> _Collapser:
        twin = _Collapser(self._tokens)
        twin._previous, twin._parts, twin._in_run = self._previous, list(self._parts), self._in_run
        return twin

    def add(self, frame: _Frame) -> list[_Span]:
        """Words that are complete because this frame opens the next one."""
        previous, self._previous = self._previous, frame
        if frame.token == self._tokens.blank_id:
            return []
        if previous is not None and previous.number == frame.number - 1 and previous.token == frame.token:
            self._extend_run(frame)
            return []
        words: list[_Span] = []
        self._in_run = False
        for position, text in enumerate(self._tokens.pieces[frame.token].split(WORD_START)):
            if position > 0:
                words += self.finish()
            if text:
                self._parts.append(_Part(text, frame.number, frame.number, frame.log_probability))
                self._in_run = True
        return words

    def finish(self) -> list[_Span]:
        """The open word, if there is one, is complete."""
        parts, self._parts, self._in_run = self._parts, [], False
        if not parts:
            return []
        mean = sum(part.log_probability for part in parts) / len(parts)
        return [
            _Span(
                text="".join(part.text for part in parts),
                first_frame=parts[0].first_frame,
                last_frame=parts[-1].last_frame,
                confidence=min(1.0, math.exp(mean)),
            )
        ]

    def _extend_run(self, frame: _Frame) -> None:
        if self._in_run:  # false for a piece without letters, which belongs to no word's sound
            last = self._parts[-1]
            self._parts[-1] = replace(
                last, last_frame=frame.number, log_probability=max(last.log_probability, frame.log_probability)
            )
