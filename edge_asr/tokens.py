"""Token ids <-> text. Tokens are sentencepiece pieces; `▁` opens a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        shown = "".join(piece for i, piece in enumerate(self.pieces) if i != self.blank_id)
        cased = text.upper() if shown.upper() == shown else text.lower() if shown.lower() == shown else text
        return " ".join("".join(cased.split())) if self.letters_are_words else cased

    @property
    def letters_are_words(self) -> bool:
        """Whether every piece is one letter that opens a word, as in Chinese characters."""
        shown = [piece for i, piece in enumerate(self.pieces) if piece and i != self.blank_id]
        return all(len(piece) == 2 and piece.startswith(WORD_START) for piece in shown)

    def to_text(self, ids: Sequence[int]) -> str:
        """Collapsed ids (no blanks) -> words separated by single spaces."""
        return " ".join("".join(self.pieces[i] for i in ids).replace(WORD_START, " ").split())
