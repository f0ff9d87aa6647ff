"""Text to the outputs that CTC is taught."""

from __future__ import annotations

from typing import Protocol

import sentencepiece

from edge_asr.errors import EdgeAsrError
from edge_asr.tokenizer import OwnTokenizer
from edge_asr.tokens import WORD_START, Tokenizer, Tokens


class Spelling(Protocol):
    """How a model writes."""

    def as_written(self, text: str) -> str:
        """The text as the model would say it, which is what its words are scored against."""

    def encode(self, text: str) -> list[int]:
        """Words separated by spaces -> ids without blanks. Raises EdgeAsrError where it cannot be written."""


class LearntPieces:
    """As sentencepiece cuts text into the pieces it has learnt; its unknown, id 0, is left out."""

    def __init__(self, processor: sentencepiece.SentencePieceProcessor) -> None:
        self._processor = processor

    def as_written(self, text: str) -> str:
        return text

    def encode(self, text: str) -> list[int]:
        return [i for i in self._processor.encode(text) if i != 0]


class KnownPieces:
    """With the pieces that a pretrained model came with: from left to right, the longest that fits.

    Where words are opened by a piece of its own, it stands between them, and not before the first. Letters are taken in
    the only case that the pieces have.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._ids = {piece: i for i, piece in enumerate(tokens.pieces) if piece and i != tokens.blank_id}
        self._longest = max(map(len, self._ids), default=0)
        self._opens_words = any(len(piece) > 1 and piece.startswith(WORD_START) for piece in self._ids)

    def as_written(self, text: str) -> str:
        return self._tokens.as_written(text)

    def encode(self, text: str) -> list[int]:
        written = WORD_START.join(self.as_written(text).split())
        if self._opens_words and written:
            written = WORD_START + written
        ids = []
        at = 0
        while at < len(written):
            fits = (written[at:end] for end in range(min(len(written), at + self._longest), at, -1))
            piece = next((part for part in fits if part in self._ids), None)
            if piece is None:
                letter = written[at:].lstrip(WORD_START)[:1] or WORD_START
                raise EdgeAsrError(f"no piece of the model writes '{letter}' in '{text}': change the text")
            ids.append(self._ids[piece])
            at += len(piece)
        return ids


def spelling_of(tokens: Tokens, tokenizer: Tokenizer | None) -> Spelling:
    """How a pretrained model writes. Raises EdgeAsrError as `OwnTokenizer` does."""
    return KnownPieces(tokens) if tokenizer is None else OwnTokenizer(tokens, tokenizer)
