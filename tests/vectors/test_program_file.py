"""Python tells whole files from others as `program_file.jsonl` says, from which C++ and Kotlin are tested too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_asr.backends.program_file import check_program_file
from edge_asr.errors import EdgeAsrError
from tests.vectors import program_file
from tests.vectors.replay import file_reason_of, read_vectors

VECTORS = read_vectors(program_file.FILE)


def test_the_file_is_what_its_generator_writes() -> None:
    assert program_file.FILE.read_text(encoding="utf-8") == program_file.text(), (
        "run python -m tests.vectors.program_file"
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_python_checks_a_file_as_the_vector_says(vector: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "model.pte"
    path.write_bytes(bytes.fromhex(vector["bytes"]))
    try:
        check_program_file(path)
        found = None
    except EdgeAsrError as refusal:
        found = file_reason_of(str(refusal))
    assert found == vector["refused"]
