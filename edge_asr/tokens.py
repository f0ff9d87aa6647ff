"""Token ids <-> text. Tokens are sentencepiece pieces; `▁` opens a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WORD_START = "▁"
BLANK = "<blank>"


@dataclass(frozen=True)
class Tokens:
    """The output alphabet of a model, blank included."""

    pieces: tuple[str, ...]  # text of each id; the blank's own entry is never shown
    blank_id: int  # index of CTC's blank

    def to_text(self, ids: Sequence[int]) -> str:
        """Collapsed ids (no blanks) -> words separated by single spaces."""
        return " ".join("".join(self.pieces[i] for i in ids).replace(WORD_START, " ").split())
