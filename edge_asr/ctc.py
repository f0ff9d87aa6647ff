"""CTC greedy collapse on the merged time line."""

from __future__ import annotations

from collections.abc import Iterable


def collapse(ids: Iterable[int], blank_id: int) -> list[int]:
    """Drop repeats, then blanks (Graves et al. 2006)."""
    out: list[int] = []
    previous = blank_id
    for token in ids:
        if token != previous and token != blank_id:
            out.append(token)
        previous = token
    return out
