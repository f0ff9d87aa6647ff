"""Text to the outputs that CTC is taught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import sentencepiece

from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.tokens import SENTENCEPIECE, WORD_START, Tokenizer, Tokens


class Spelling(Protocol):
    """How a model writes."""

    def encode(self, text: str) -> list[int]:
        """Words separated by spaces -> ids without blanks. Raises EdgeAsrError where it cannot be written."""


class LearntPieces:
    """As sentencepiece cuts text into the pieces it has learnt; its unknown, id 0, is left out."""

    def __init__(self, processor: sentencepiece.SentencePieceProcessor) -> None:
        self._processor = processor

    def encode(self, text: str) -> list[int]:
        return [i for i in self._processor.encode(text) if i != 0]


class OwnTokenizer:
    """As the tokenizer cuts text that came with a pretrained model. Letters are taken in the only case that the pieces
    have."""

    def __init__(self, tokens: Tokens, tokenizer: Tokenizer) -> None:
        """Raises EdgeAsrError where the library for it is missing, or does not take it."""
        self._pieces, self._blank_id = tokens.pieces, tokens.blank_id
        self._first_id = tokenizer.first_id
        self._case = case_of(tokens)
        self._cut = cutter(tokenizer)

    def encode(self, text: str) -> list[int]:
        ids = [number + self._first_id for number in self._cut(self._case(text))]
        if any(not 0 <= i < len(self._pieces) or i == self._blank_id or not self._pieces[i] for i in ids):
            raise EdgeAsrError(f"the model's tokenizer does not know all of '{text}': change the text")
        return ids


class KnownPieces:
    """With the pieces that a pretrained model came with: from left to right, the longest that fits.

    Where words are opened by a piece of its own, it stands between them, and not before the first. Letters are taken in
    the only case that the pieces have.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._ids = {piece: i for i, piece in enumerate(tokens.pieces) if piece and i != tokens.blank_id}
        self._longest = max(map(len, self._ids), default=0)
        self._case = case_of(tokens)
        self._opens_words = any(len(piece) > 1 and piece.startswith(WORD_START) for piece in self._ids)

    def encode(self, text: str) -> list[int]:
        written = WORD_START.join(self._case(text).split())
        if self._opens_words and written:
            written = WORD_START + written
        ids = []
        at = 0
        while at < len(written):
            fits = (written[at:end] for end in range(min(len(written), at + self._longest), at, -1))
            piece = next((part for part in fits if part in self._ids), None)
            if piece is None:
                raise EdgeAsrError(f"no piece of the model writes '{written[at]}' in '{text}': change the text")
            ids.append(self._ids[piece])
            at += len(piece)
        return ids


def spelling_of(tokens: Tokens, tokenizer: Tokenizer | None) -> Spelling:
    """How a pretrained model writes. Raises EdgeAsrError as `OwnTokenizer` does."""
    return KnownPieces(tokens) if tokenizer is None else OwnTokenizer(tokens, tokenizer)


def case_of(tokens: Tokens) -> Callable[[str], str]:
    """What brings a text into the only case that the pieces have; where they have both, the text stays as it is."""
    shown = "".join(piece for i, piece in enumerate(tokens.pieces) if i != tokens.blank_id)
    return str.upper if shown.upper() == shown else str.lower if shown.lower() == shown else str


def cutter(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """From text to the library's own ids."""
    try:
        if tokenizer.kind == SENTENCEPIECE:
            pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.content)
            return lambda text: list(pieces.encode(text))
        require_extra("adopt", "a model with a tokenizer.json")
        from tokenizers import Tokenizer as Library  # only such a model wants it

        library = Library.from_str(tokenizer.content.decode("utf-8"))
        return lambda text: list(library.encode(text, add_special_tokens=False).ids)
    except EdgeAsrError:
        raise
    except Exception as error:  # the libraries raise kinds of their own
        raise EdgeAsrError(f"the model's tokenizer cannot be read ({error}): adopt the model again") from None
