"""A file is judged by its header, without a runtime."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from edge_asr.backends.program_file import check_program_file
from edge_asr.errors import EdgeAsrError


def program(program_bytes: int, segments_bytes: int = 0) -> bytes:
    """A file with a sound header and nothing behind it."""
    offset = program_bytes if segments_bytes else 0
    header = struct.pack("<I4s4sIQQQ", 32, b"ET12", b"eh00", 32, program_bytes, offset, segments_bytes)
    return header.ljust(program_bytes + segments_bytes, b"\0")


def write(folder: Path, content: bytes) -> Path:
    (folder / "model.pte").write_bytes(content)
    return folder / "model.pte"


@pytest.mark.parametrize("content", [program(100), program(100, 900), program(100) + bytes(8)])
def test_a_whole_file_passes(tmp_path: Path, content: bytes) -> None:
    check_program_file(write(tmp_path, content))


@pytest.mark.parametrize("size", [1, 4, 5, 7, 8, 31, 32, 39, 40, 99, 100, 999])
def test_a_file_cut_anywhere_is_told_from_a_whole_one(tmp_path: Path, size: int) -> None:
    path = write(tmp_path, program(100, 900)[:size])
    with pytest.raises(EdgeAsrError, match=rf"model\.pte: the model file is cut short \({size} bytes\)"):
        check_program_file(path)


@pytest.mark.parametrize("content", [bytes(500), b"PK\x03\x04" + bytes(500), b"#!/bin/sh\n", b"\x80ELF" * 20])
def test_other_files_are_not_programs(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EdgeAsrError, match=r"model\.pte: not an ExecuTorch program"):
        check_program_file(write(tmp_path, content))


def test_an_empty_file_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match="is empty"):
        check_program_file(write(tmp_path, b""))
    with pytest.raises(EdgeAsrError, match="a folder, not a model"):
        check_program_file(tmp_path)
    with pytest.raises(EdgeAsrError, match=r"absent\.pte: no such model file"):
        check_program_file(tmp_path / "absent.pte")
