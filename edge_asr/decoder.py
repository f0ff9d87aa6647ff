"""What a stream runs on: a loaded program whose steps are decoded by its own library, or else in Python.

The native library has a decoder: words come out of it, and log probabilities stay in it. Every other backend's steps go
through `edge_asr.ctc.TimeLine`. Both give the same words, times and confidences, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from edge_asr.backends.protocol import Backend, StepResult
from edge_asr.contract import Metadata
from edge_asr.ctc import Clock, TimeLine, Word
from edge_asr.tokens import Tokens


@dataclass(frozen=True)
class GateResult:
    """What the gate did in one step."""

    keep: tuple[bool, ...]  # of the step's real frames: True where kept for the upper stack
    upper_ran: bool  # whether the upper stack ran
    waiting: int  # kept frames not yet through the upper stack


@runtime_checkable
class Decoder(Protocol):
    """One loaded program that decodes its steps. It holds the state of one stream.

    Each `advance` is followed by one `decode`: they are two calls so that the time of the program can be measured.
    """

    name: str  # of the backend
    metadata: Metadata

    def advance(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> GateResult:
        """Run one chunk: pcm float32 [chunk_samples], which the caller will use again. Raises EdgeAsrError."""

    def decode(self, samples: int) -> list[Word]:
        """The words that the chunk just run made final. `samples` of it were real: all, but in a stream's last chunk.

        Raises EdgeAsrError where the step broke the contract.
        """

    def partial_words(self) -> list[Word]:
        """The words that follow the final ones and may change."""

    def finish(self) -> list[Word]:
        """The stream has ended and nothing waits: the last word is final, too."""

    def reset(self) -> None:
        """The next step is the first of a new stream. It cannot fail."""


class PythonDecoder:
    """Any backend, its steps decoded in Python."""

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self.metadata = backend.metadata
        self._backend = backend
        self._tokens = Tokens(self.metadata.pieces, self.metadata.blank_id)
        self._line = self._new_line()
        self._result: StepResult | None = None

    def advance(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> GateResult:
        self._result = result = self._backend.step(pcm, frames, threshold, flush)
        return GateResult(
            keep=tuple(result.keep[:frames].tolist()), upper_ran=len(result.index) > 0, waiting=result.waiting
        )

    def decode(self, samples: int) -> list[Word]:
        result, self._result = self._result, None
        assert result is not None
        return self._line.add(result, samples)

    def partial_words(self) -> list[Word]:
        return self._line.partial_words()

    def finish(self) -> list[Word]:
        return self._line.finish()

    def reset(self) -> None:
        self._backend.reset()
        self._line = self._new_line()

    def _new_line(self) -> TimeLine:
        return TimeLine(self._tokens, Clock(self.metadata.frame_samples, self.metadata.sample_rate_hz))


def decoder_of(backend: Backend) -> Decoder:
    """The backend's own decoder where it has one, else Python's."""
    return backend if isinstance(backend, Decoder) else PythonDecoder(backend)
