"""A pretrained model's own pieces write a text, and say it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.adoption.vocabulary import letters
from edge_asr.errors import EdgeAsrError
from edge_asr.tokens import Tokens
from edge_asr.training.spelling import KnownPieces

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
