"""Memory is read from the process itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.memory import measure, peak_resident_bytes, resident_bytes


def test_the_peak_remembers_what_was_freed() -> None:
    before = resident_bytes()
    ballast = bytearray(b"x") * 100_000_000
    assert len(ballast) == 100_000_000
    del ballast
    assert peak_resident_bytes() > before + 90_000_000


def test_a_process_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match=r"none\.pte"):
        measure(tmp_path / "none.pte", tmp_path / "none.wav")
