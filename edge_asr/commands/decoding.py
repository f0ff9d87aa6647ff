"""One input through the recognizer, to its end, to its damage, or to a signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_asr.audio import AudioReader
from edge_asr.commands.live_text import ShownText
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer, Result
from edge_asr.terminal.screen import Advance

BLOCK_S = 0.5  # of a file between two updates of the screen


@dataclass(frozen=True)
class DecodedInput:
    """One input, decoded."""

    result: Result
    warnings: list[str]  # about the audio, without its name
    trouble: str | None  # why the input ended early, where it did so by itself


class _Input:
    """The blocks of a reader. What ends them early is kept, as what came before is decoded all the same."""

    def __init__(self, reader: AudioReader) -> None:
        self._reader = reader
        self.samples = 0
        self.trouble: EdgeAsrError | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        try:
            for block in self._reader.blocks(BLOCK_S):
                self.samples += len(block)
                yield block
        except EdgeAsrError as error:
            self.trouble = error


def decode(
    recognizer: Recognizer,
    reader: AudioReader,
    threshold: float | None,
    text: ShownText,
    interrupted: Callable[[], bool],
    advance: Advance,
) -> DecodedInput:
    """The text is shown as it comes; `advance` gets seconds of audio. Where `interrupted` answers True, the input ends.

    Raises EdgeAsrError that names the input where nothing could be read from it, or the model failed.
    """
    audio = _Input(reader)
    with recognizer.stream(threshold) as stream:
        try:
            for block in audio.blocks():
                update = stream.accept(block)
                advance(len(block) / reader.rate_hz)
                if update.changed:
                    text.show(update.final, update.partial)
                if interrupted():
                    break
            if audio.trouble is not None and not audio.samples:
                raise audio.trouble
            result = stream.finish()
        except EdgeAsrError as error:
            text.abandon()
            named = audio.trouble is error
            raise error if named else EdgeAsrError(f"{reader.title}: {error}") from None
        except BaseException:
            text.abandon()
            raise
    text.finish(result.text)
    return DecodedInput(result, list(reader.warnings), None if audio.trouble is None else str(audio.trouble))
