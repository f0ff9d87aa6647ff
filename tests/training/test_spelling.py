"""A pretrained model's own pieces write a text, and say it again."""

from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.adoption.vocabulary import letters, of_sentencepiece
from edge_asr.errors import EdgeAsrError
from edge_asr.tokenizer import OwnTokenizer
from edge_asr.tokens import HUGGING_FACE, SENTENCEPIECE, Tokenizer, Tokens
from edge_asr.training.data import learn_pieces
from edge_asr.training.spelling import KnownPieces, spelling_of

LETTERS = Tokens(letters().pieces, letters().blank_id)
WORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ'", min_size=1, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_what_is_written_is_said_again(words: list[str]) -> None:
    text = " ".join(words)
    ids = KnownPieces(LETTERS).encode(text)
    assert LETTERS.to_text(ids) == text
    assert len(ids) == len(text)  # a space between words, and none before the first


def test_the_longest_piece_is_taken() -> None:
    tokens = Tokens(("a", "▁th", "▁the", "re", "▁", "b", "▁a", "<blank>"), blank_id=7)
    ids = KnownPieces(tokens).encode("there a ab")
    assert [tokens.pieces[i] for i in ids] == ["▁the", "re", "▁a", "▁a", "b"]
    assert tokens.to_text(ids) == "there a ab"


@pytest.mark.parametrize(("pieces", "written"), [("ABC", "AB"), ("abc", "ab")])
def test_letters_are_taken_in_the_case_that_the_pieces_have(pieces: str, written: str) -> None:
    tokens = Tokens(("<blank>", *pieces), blank_id=0)
    assert tokens.to_text(KnownPieces(tokens).encode("Ab")) == written


def test_a_letter_that_no_piece_has_is_told() -> None:
    with pytest.raises(EdgeAsrError, match="no piece of the model writes 'É' in 'CAFÉ'"):
        KnownPieces(LETTERS).encode("CAFÉ")


def test_no_text_is_nothing() -> None:
    assert KnownPieces(LETTERS).encode("") == []


def test_a_sentencepiece_model_writes_as_it_does_itself_blank_before_it(tmp_path: Path) -> None:
    processor = learn_pieces(["THE CAT SAT", "THE HAT", "A CAT AT THE MAT"], 11, tmp_path / "pieces")
    vocabulary = of_sentencepiece(tmp_path / "pieces.model")
    tokens = Tokens(vocabulary.pieces, vocabulary.blank_id)
    ids = spelling_of(tokens, vocabulary.tokenizer).encode("the hat sat")
    assert ids == [i + 1 for i in processor.encode("THE HAT SAT")]
    assert tokens.to_text(ids) == "THE HAT SAT"
    with pytest.raises(EdgeAsrError, match="tokenizer does not know all of 'CAFÉ'"):
        spelling_of(tokens, vocabulary.tokenizer).encode("CAFÉ")


def test_a_tokenizer_json_writes_as_its_library_does_where_the_longest_piece_is_not_the_likeliest() -> None:
    entries = [("<unk>", -9.0), ("▁", -3.0), ("▁abc", -9.0), ("▁ab", -1.0), ("cd", -1.0), ("d", -9.0)]
    library = tokenizers.Tokenizer(tokenizers.models.Unigram(entries, unk_id=0))
    library.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokens = Tokens(("", *(piece for piece, _ in entries[1:]), "<blank>"), blank_id=6)
    own = OwnTokenizer(tokens, Tokenizer(HUGGING_FACE, library.to_str().encode()))
    assert [tokens.pieces[i] for i in own.encode("ABCD")] == ["▁ab", "cd"]
    assert [tokens.pieces[i] for i in KnownPieces(tokens).encode("ABCD")] == ["▁abc", "d"]
    with pytest.raises(EdgeAsrError, match="tokenizer does not know all of"):
        own.encode("XYZ")


def test_a_tokenizer_that_cuts_short_or_leaves_out_loses_no_label() -> None:
    library = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0, "b": 1, "Ġa": 2, "Ġ": 3}, []))
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.enable_truncation(2)
    library.enable_padding(length=9)
    tokens = Tokens(("a", "b", "▁a", "▁", "<blank>"), blank_id=4)
    own = OwnTokenizer(tokens, Tokenizer(HUGGING_FACE, library.to_str().encode()))
    assert tokens.to_text(own.encode("ab ba bab")) == "ab ba bab"
    with pytest.raises(EdgeAsrError, match="does not know all of 'ab é'"):
        own.encode("ab é")


def test_where_each_letter_is_a_word_a_text_needs_no_spaces() -> None:
    tokens = Tokens(("<blank>", "▁你", "▁好", "▁世"), blank_id=0)
    assert [tokens.to_text(KnownPieces(tokens).encode(text)) for text in ("你好世", "你好 世", "你 好 世")] == [
        "你 好 世"
    ] * 3
    assert tokens.as_written("你好世") == "你 好 世"
    with pytest.raises(EdgeAsrError, match="no piece of the model writes '界'"):
        KnownPieces(tokens).encode("世界")


@pytest.mark.parametrize("kind", [SENTENCEPIECE, HUGGING_FACE])
def test_a_tokenizer_that_is_none_is_told(kind: str) -> None:
    with pytest.raises(EdgeAsrError, match="tokenizer cannot be read"):
        spelling_of(LETTERS, Tokenizer(kind, b"\xff{"))
