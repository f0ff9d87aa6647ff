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

    def to_text(self, ids: Sequence[int]) -> str:
        """Collapsed ids (no blanks) -> words separated by single spaces."""
        return " ".join("".join(self.pieces[i] for i in ids).replace(WORD_START, " ").split())
