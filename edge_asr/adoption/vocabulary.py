"""What a pretrained model's outputs stand for, in the contract's terms: pieces of which `▁` opens a word, and blank.

Three kinds are read: a dictionary of tokens (`vocab.json`, as Wav2Vec2's tokenizers have, with a word delimiter of its
own), `tokenizer.json` of the tokenizers library, and a sentencepiece model. A model without a CTC head has none: its
head is new, and so are its pieces.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.tokenizer import cutter
from edge_asr.tokens import BLANK, HUGGING_FACE, SENTENCEPIECE, WORD_START, Tokenizer

DICTIONARY, TOKENIZER, SETTINGS = "vocab.json", "tokenizer.json", "tokenizer_config.json"
# How Unicode names letters of scripts that are written without spaces.
UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
ADDED, SPECIAL = "added_tokens.json", "special_tokens_map.json"  # of what older tokenizers keep beside it
WORDS = "WordLevel"  # a tokenizer.json whose tokens are words, or letters with one that stands between words
BYTE_SPACE = "Ġ"  # how byte-level vocabularies write a space


@dataclass(frozen=True)
class Vocabulary:
    """Outputs of a CTC head."""

    pieces: tuple[str, ...]  # text of each; "" for what is never shown, such as the end of a sentence
    blank_id: int  # CTC's blank
    tokenizer: Tokenizer | None = None  # what cuts text into the pieces; None: the longest that fit


def letters() -> Vocabulary:
    """English letters and the apostrophe in capitals, a space, and blank: for a head that is new."""
    return Vocabulary((BLANK, WORD_START, "'", *string.ascii_uppercase), blank_id=0)


def of_sentencepiece(path: Path) -> Vocabulary:
    """The pieces of a model, and blank before them. Raises EdgeAsrError where it is none."""
    shown = sentencepiece_pieces(path)
    return Vocabulary((BLANK, *shown.values()), 0, Tokenizer(SENTENCEPIECE, path.read_bytes(), first_id=1))


def of_source(folder: Path, config: dict[str, Any], outputs: int) -> Vocabulary:
    """Of a CTC head with so many outputs. Raises EdgeAsrError where the folder has no vocabulary, or one that does not
    fit, or where nothing says which output is blank."""
    blank_id = config.get("blank_token_id", config.get("pad_token_id"))
    settings = read_optional(folder / SPECIAL) | read_optional(folder / SETTINGS)
    if (path := folder / DICTIONARY).is_file():
        tokens = dictionary_tokens(path, read_json(path)) | read_optional(folder / ADDED)
        require_one_token_each(path, tokens)
        blank_id = config.get("pad_token_id", tokens.get(text_of(settings.get("pad_token", "<pad>"))))
        return checked(path, dictionary_pieces(tokens, settings), blank_id, outputs)
    if (path := folder / TOKENIZER).is_file():
        kind, content = HUGGING_FACE, read_json(path)
        pieces = tokenizer_pieces(path, content, settings)
        if content["model"].get("type") == WORDS:
            return checked(path, pieces, blank_id, outputs)  # the longest that fit are its tokens
    elif models := sorted(folder.glob("*.model")):
        path = models[0]
        kind, pieces = SENTENCEPIECE, sentencepiece_pieces(path)
    else:
        raise EdgeAsrError(f"{folder}: no vocabulary in it ({DICTIONARY} or {TOKENIZER}): its outputs mean nothing")
    tokenizer = Tokenizer(kind, path.read_bytes())
    vocabulary = replace(checked(path, pieces, blank_id, outputs), tokenizer=tokenizer)
    try:
        cutter(tokenizer)
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{path}: {error}") from None
    return vocabulary


def checked(path: Path, pieces: dict[int, str], blank_id: Any, outputs: int) -> Vocabulary:
    beyond = [number for number in pieces if not 0 <= number < outputs]
    if beyond:
        raise EdgeAsrError(f"{path}: has an output {beyond[0]}, the model has {outputs}: they do not belong together")
    if not isinstance(blank_id, int) or isinstance(blank_id, bool) or not 0 <= blank_id < outputs:
        raise EdgeAsrError(f"{path}: nothing says which output is blank (config.json's pad_token_id): add it there")
    missing = [number for number in range(outputs) if number not in pieces and number != blank_id]
    if missing:
        raise EdgeAsrError(f"{path}: says nothing of output {missing[0]} of {outputs}: they do not belong together")
    shown = {number: piece for number, piece in pieces.items() if number != blank_id}
    if not any(WORD_START in piece for piece in shown.values()):
        shown = opening_words(path, shown)
    return Vocabulary(tuple(BLANK if number == blank_id else shown[number] for number in range(outputs)), blank_id)


def opening_words(path: Path, pieces: dict[int, str]) -> dict[int, str]:
    """Where no piece opens a word: in a script that is written without spaces each does. Else a stream would be one
    word without an end. Raises EdgeAsrError in any other script."""
    lettered = [piece for piece in pieces.values() if any(map(str.isalpha, piece))]
    if lettered and not any(map(unspaced, lettered)):
        raise EdgeAsrError(
            f"{path}: no token opens a word, though '{lettered[0]}' is of a script with spaces: "
            f"name the one that stands between words as word_delimiter_token in {SETTINGS}"
        )
    return {number: f"{WORD_START}{piece}" if piece else "" for number, piece in pieces.items()}


def unspaced(piece: str) -> bool:
    """Whether it holds a letter of a script that is written without spaces."""
    return any(unicodedata.name(letter, "").startswith(UNSPACED) for letter in piece)


def sentencepiece_pieces(path: Path) -> dict[int, str]:
    import sentencepiece

    if not path.is_file():
        raise EdgeAsrError(f"{path}: no such file")
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):
        raise EdgeAsrError(f"{path}: not a sentencepiece model") from None
    return {
        i: "" if processor.is_control(i) or processor.is_unknown(i) else processor.id_to_piece(i)
        for i in range(processor.get_piece_size())
    }


def dictionary_pieces(tokens: dict[str, int], settings: dict[str, Any]) -> dict[int, str]:
    delimiter = text_of(settings.get("word_delimiter_token", "|"))
    hidden = {
        text_of(settings.get(f"{kind}_token", default))
        for kind, default in (("pad", "<pad>"), ("bos", "<s>"), ("eos", "</s>"), ("unk", "<unk>"))
    }
    return {
        number: WORD_START if token == delimiter else "" if token in hidden else token
        for token, number in tokens.items()
    }


def dictionary_tokens(path: Path, content: Any) -> dict[str, int]:
    if isinstance(content, dict) and content and all(isinstance(value, dict) for value in content.values()):
        languages = ", ".join(sorted(content)[:5])
        raise EdgeAsrError(f"{path}: a dictionary for each language ({languages}, …): leave the one that is wanted")
    if not isinstance(content, dict) or not all(isinstance(value, int) for value in content.values()):
        raise EdgeAsrError(f"{path}: not a dictionary from tokens to numbers")
    return content


def require_one_token_each(path: Path, tokens: dict[str, int]) -> None:
    twice = next((number for number, count in Counter(tokens.values()).items() if count > 1), None)
    if twice is not None:
        both = " and ".join(repr(token) for token, number in tokens.items() if number == twice)
        raise EdgeAsrError(f"{path}: output {twice} stands for {both}: mend it")


def tokenizer_pieces(path: Path, content: Any, settings: dict[str, Any]) -> dict[int, str]:
    """Of the tokenizers library's file: BPE, WordPiece or WordLevel have a dictionary, Unigram a list."""
    try:
        model = content["model"]
        vocabulary = model["vocab"]
        numbered = vocabulary.items() if isinstance(vocabulary, dict) else ((v[0], i) for i, v in enumerate(vocabulary))
        pieces = {int(number): str(token) for token, number in numbered}
        added = {int(token["id"]): (str(token["content"]), bool(token["special"])) for token in content["added_tokens"]}
    except (KeyError, TypeError, ValueError, IndexError):
        raise EdgeAsrError(f"{path}: not a file of the tokenizers library") from None
    if any(token.startswith(BYTE_SPACE) for token in pieces.values()):
        if not all(token.replace(BYTE_SPACE, "").isascii() for token in pieces.values()):
            raise EdgeAsrError(f"{path}: its tokens are bytes, not text, which pieces must be: it is not taken")
        pieces = {number: token.replace(BYTE_SPACE, WORD_START) for number, token in pieces.items()}
    pieces = {number: piece for number, piece in pieces.items() if number not in added}
    marked = marking_words(pieces, model, text_of(settings.get("word_delimiter_token", "|")))
    return marked | {number: "" if special else token for number, (token, special) in added.items()}


def marking_words(pieces: dict[int, str], model: dict[str, Any], delimiter: str) -> dict[int, str]:
    """`▁` where the tokens have another way to say where a word begins or ends."""
    if model.get("type") == "WordPiece":
        inside = str(model.get("continuing_subword_prefix", "##"))
        return {n: p.removeprefix(inside) if p.startswith(inside) else f"{WORD_START}{p}" for n, p in pieces.items()}
    if suffix := model.get("end_of_word_suffix"):
        return {n: p.removesuffix(suffix) + WORD_START if p.endswith(suffix) else p for n, p in pieces.items()}
    if model.get("type") == WORDS:
        between = {delimiter, " "} & set(pieces.values())
        return {n: WORD_START if p in between else p if between else f"{WORD_START}{p}" for n, p in pieces.items()}
    return pieces


def text_of(token: Any) -> str:
    """A token, or what some files have in its place: an object that holds it."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def read_optional(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EdgeAsrError(f"{path}: cannot be read as JSON ({error})") from None
