"""Phones: letters by their names, words as they sound, an article that is no letter."""

from __future__ import annotations

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.training.phones import BLANK_PHONE, Pronunciations, is_article, pronounce
from tests.requirements import require_tool


@pytest.fixture
def espeak() -> None:
    require_tool("espeak-ng", "espeak-ng")


@pytest.mark.usefixtures("espeak")
def test_words_sound_as_they_do_and_letters_as_their_names() -> None:
    assert pronounce(["B", "BEE", "SEVEN", "W", "DON'T"]) == [
        ("b", "i"),
        ("b", "i"),
        ("s", "ɛ", "v", "ə", "n"),
        ("d", "ʌ", "b", "əl", "j", "u"),
        ("d", "oʊ", "n", "t"),
    ]


@pytest.mark.usefixtures("espeak")
def test_ids_are_phones_of_the_inventory_and_never_blank() -> None:
    pronunciations = Pronunciations(["B SEE", "SEE A BEE", "A"])
    ids = pronunciations.ids("SEE B A")
    assert [pronunciations.inventory[i - 1] for i in ids] == ["s", "i", "b", "i", "eɪ"]
    assert BLANK_PHONE not in ids
    assert pronunciations.ids("B") == pronunciations.ids("BEE")
    assert pronunciations.ids("") == ()


@pytest.mark.parametrize(
    ("text", "article"),
    [("A", False), ("B A D", False), ("SIX A", True), ("HAVE A CAT", True), ("I A", True), ("C A TEN", False)],
)
def test_an_article_stands_among_words(text: str, article: bool) -> None:
    words = text.split()
    assert is_article(words, words.index("A")) is article


def test_a_missing_espeak_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EdgeAsrError, match="espeak-ng"):
        pronounce(["ONE"])
