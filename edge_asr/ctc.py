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
    end_s: float  # end of the last frame that emitted its last piece
    confidence: float  # 0 to 1: geometric mean over its pieces of the piece's highest frame probability


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


class TimeLine:
    """Words from the results of the steps, incrementally.

    Keeps the frames that wait and the pieces of the last word, and no other frame: memory grows with neither silence
    nor speech, as finished words are handed out and forgotten.
    """

    def __init__(self, tokens: Tokens, frame_s: float) -> None:
        self._frame_s = frame_s
        self._frames = 0
        self._resolved = _Collapser(tokens, frame_s)
        self._waiting: deque[_Frame] = deque()

    def add(self, result: StepResult, frames: int) -> list[Word]:
        """Take one step's result, of which the first `frames` rows are real.

        Returns the words that are final from now on: every frame up to the first piece of the next word is resolved.
        Raises EdgeAsrError where the result breaks the contract (resolved frames out of order, or never kept).
        """
        if frames:
            best = result.partial[:frames].argmax(axis=1)
            for row in np.flatnonzero(result.keep[:frames]).tolist():
                token = int(best[row])
                self._waiting.append(_Frame(self._frames + row, token, float(result.partial[row, token])))
        self._frames += frames
        words: list[Word] = []
        for row, number in enumerate(result.index.tolist()):
            if not self._waiting or self._waiting[0].number != number:
                raise EdgeAsrError(f"the model resolved frame {number}, which was not next: export it again")
            self._waiting.popleft()
            token = int(result.final[row].argmax())
            words += self._resolved.add(_Frame(number, token, float(result.final[row, token])))
        return words

    def partial_words(self) -> list[Word]:
        """What follows the final words, as far as it can be told now. Any of it may change."""
        ahead = self._resolved.copy()
        words = [word for frame in self._waiting for word in ahead.add(frame)]
        return words + ahead.finish()

    def finish(self) -> list[Word]:
        """The stream has ended and nothing waits: the last word is final, too."""
        return self._resolved.finish()


class _Collapser:
    """CTC collapse of kept frames, in order, into words. Frame numbers that are missing are blank."""

    def __init__(self, tokens: Tokens, frame_s: float) -> None:
        self._tokens = tokens
        self._frame_s = frame_s
        self._previous: _Frame | None = None
        self._parts: list[_Part] = []  # of the word that may still grow
        self._in_run = False  # the last part ends at the previous frame, so that a repeat belongs to it

    def copy(self) -> _Collapser:
        twin = _Collapser(self._tokens, self._frame_s)
        twin._previous, twin._parts, twin._in_run = self._previous, list(self._parts), self._in_run
        return twin

    def add(self, frame: _Frame) -> list[Word]:
        """Words that are complete because this frame opens the next one."""
        previous, self._previous = self._previous, frame
        if frame.token == self._tokens.blank_id:
            return []
        if previous is not None and previous.number == frame.number - 1 and previous.token == frame.token:
            self._extend_run(frame)
            return []
        words: list[Word] = []
        self._in_run = False
        for position, text in enumerate(self._tokens.pieces[frame.token].split(WORD_START)):
            if position > 0:
                words += self.finish()
            if text:
                self._parts.append(_Part(text, frame.number, frame.number, frame.log_probability))
                self._in_run = True
        return words

    def finish(self) -> list[Word]:
        """The open word, if there is one, is complete."""
        parts, self._parts, self._in_run = self._parts, [], False
        if not parts:
            return []
        mean = sum(part.log_probability for part in parts) / len(parts)
        return [
            Word(
                text="".join(part.text for part in parts),
                start_s=parts[0].first_frame * self._frame_s,
                end_s=(parts[-1].last_frame + 1) * self._frame_s,
                confidence=min(1.0, math.exp(mean)),
            )
        ]

    def _extend_run(self, frame: _Frame) -> None:
        if self._in_run:  # false for a piece without letters, which belongs to no word's sound
            last = self._parts[-1]
            self._parts[-1] = replace(
                last, last_frame=frame.number, log_probability=max(last.log_probability, frame.log_probability)
            )
