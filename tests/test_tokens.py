"""Ids become words where `▁` opens one."""

from edge_asr.tokens import Tokens

TOKENS = Tokens(pieces=("<blank>", "▁HEL", "LO", "▁", "S"), blank_id=0)


def test_pieces_join_and_word_marks_become_single_spaces() -> None:
    assert TOKENS.to_text([1, 2, 3, 4, 1]) == "HELLO S HEL"


def test_marks_without_letters_leave_no_space_behind() -> None:
    assert TOKENS.to_text([3, 3, 2, 3]) == "LO"


def test_no_ids_are_no_text() -> None:
    assert TOKENS.to_text([]) == ""
