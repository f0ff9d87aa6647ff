"""Token ids <-> text. Tokens are sentencepiece pieces; `▁` opens a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

WORD_START = "▁"
BLANK = "<blank>"
SENTENCEPIECE, HUGGING_FACE = TOKENIZERS = ("sentencepiece", "tokenizers")  # a `.model`, a `tokenizer.json`


@dataclass(frozen=True)
class Tokenizer:
    """What cuts text into pieces, as the library does that made them. Training asks for it, recognizing never."""

    kind: str  # one of TOKENIZERS
    content: bytes  # that library's file
    first_id: int = 0  # id of the library's piece 0


@dataclass(frozen=True)
class Tokens:
    """The output alphabet of a model, blank included."""

    pieces: tuple[str, ...]  # text of each id; the blank's own entry is never shown
    blank_id: int  # index of CTC's blank

    def as_written(self, text: str) -> str:
        """A text as the model would say it: in the only case that its pieces have, and, where each letter of a script
        without spaces is a word, spaced so."""
        cased = self._case(text)
        return " ".join("".join(cased.split())) if self._letters_are_words else cased

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        return tuple(piece for i, piece in enumerate(self.pieces) if piece and i != self.blank_id)

    @cached_property
    def _case(self) -> Callable[[str], str]:
        letters = "".join(self._shown)
        return str.upper if letters.upper() == letters else str.lower if letters.lower() == letters else str

    @cached_property
    def _letters_are_words(self) -> bool:
        """Whether every piece is one letter that opens a word, as in Chinese characters."""
        return all(len(piece) == 2 and piece.startswith(WORD_START) for piece in self._shown)

    def to_text(self, ids: Sequence[int]) -> str:
        """Collapsed ids (no blanks) -> words separated by single spaces."""
        return " ".join("".join(self.pieces[i] for i in ids).replace(WORD_START, " ").split())
