"""Text that arrives: after all the redrawing, a terminal shows exactly the words, wrapped."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.commands.live_text import CLEAR_LINE, DIM, PLAIN, LiveText


def screen(written: str) -> list[str]:
    """What a terminal shows: each line as it was last redrawn."""
    return [line.rsplit(CLEAR_LINE, 1)[-1].replace(DIM, "").replace(PLAIN, "") for line in written.split("\n")]


def test_partial_words_are_dim_and_replaced() -> None:
    out = io.StringIO()
    live = LiveText(out, width=40)
    live.show("", "ENTRE")
    assert out.getvalue().endswith(f"{DIM}ENTRE{PLAIN}")
    live.show("ENTER", "FOUR")
    assert screen(out.getvalue()) == ["ENTER FOUR"]
    live.finish("ENTER FORTY")
    assert screen(out.getvalue()) == ["ENTER FORTY", ""]


@given(
    words=st.lists(st.text("ABC", min_size=1, max_size=30), max_size=30),
    partial=st.text("abc ", max_size=60),
    width=st.integers(2, 40),
)
def test_no_word_is_lost_and_no_line_overflows(words: list[str], partial: str, width: int) -> None:
    out = io.StringIO()
    live = LiveText(out, width=width)
    for count in range(len(words) + 1):
        live.show(" ".join(words[:count]), partial)
        assert all(len(line) < width for line in screen(out.getvalue()))
    live.finish(" ".join(words))
    assert re.sub(r"\s", "", "".join(screen(out.getvalue()))) == "".join(words)


@pytest.mark.parametrize("text", ["", "A"])
def test_finish_ends_the_line(text: str) -> None:
    out = io.StringIO()
    LiveText(out, width=20).finish(text)
    assert screen(out.getvalue()) == [text, ""]
