"""From text to the pieces of a pretrained model, as the library does it that made them. Training asks for it."""

from __future__ import annotations

from collections.abc import Callable

from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.tokens import SENTENCEPIECE, WORD_START, Tokenizer, Tokens


class OwnTokenizer:
    """As the tokenizer cuts text that came with a pretrained model. Letters are taken in the only case that the pieces
    have."""

    def __init__(self, tokens: Tokens, tokenizer: Tokenizer) -> None:
        """Raises EdgeAsrError where the library for it is missing, or does not take it."""
        self._tokens = tokens
        self._first_id = tokenizer.first_id
        self._cut = cutter(tokenizer)

    def as_written(self, text: str) -> str:
        return self._tokens.as_written(text)

    def encode(self, text: str) -> list[int]:
        """Words separated by spaces -> ids without blanks. Raises EdgeAsrError where it cannot be written."""
        normal, cut = self._cut(self.as_written(text))
        pieces, ids = self._tokens.pieces, [number + self._first_id for number in cut]
        known = all(0 <= i < len(pieces) and i != self._tokens.blank_id and pieces[i] for i in ids)
        # Some tokenizers leave out what they do not know.
        if not known or letters_of(self._tokens.to_text(ids)) != letters_of(normal):
            raise EdgeAsrError(f"the model's tokenizer does not know all of '{text}': change the text")
        return ids


def letters_of(text: str) -> str:
    return "".join(text.replace(WORD_START, " ").split())


def cutter(tokenizer: Tokenizer) -> Callable[[str], tuple[str, list[int]]]:
    """From text to what the library makes of it before it cuts it, and its own ids. Raises EdgeAsrError."""
    if tokenizer.kind != SENTENCEPIECE:
        require_extra("adopt", "a model with a tokenizer.json")
    try:
        return of_sentencepiece(tokenizer) if tokenizer.kind == SENTENCEPIECE else of_tokenizers(tokenizer)
    except Exception as error:  # the libraries raise kinds of their own
        raise EdgeAsrError(f"the model's tokenizer cannot be read ({str(error).strip()}): mend or replace it") from None


def of_sentencepiece(tokenizer: Tokenizer) -> Callable[[str], tuple[str, list[int]]]:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.content)
    return lambda text: (pieces.normalize(text), list(pieces.encode(text)))


def of_tokenizers(tokenizer: Tokenizer) -> Callable[[str], tuple[str, list[int]]]:
    from tokenizers import Tokenizer as Library  # only such a model wants it

    library = Library.from_str(tokenizer.content.decode("utf-8"))
    library.no_truncation()
    library.no_padding()

    def cut(text: str) -> tuple[str, list[int]]:
        normal = library.normalizer.normalize_str(text) if library.normalizer else text
        return normal, list(library.encode(text, add_special_tokens=False).ids)

    return cut
