"""A file is judged by its header and its checksum, without a runtime."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest

from edge_asr.backends import program_file
from edge_asr.backends.program_file import check_program_file, read_program_file
from edge_asr.contract import CONTRACT_VERSION, TRAILER, sealed
from edge_asr.errors import EdgeAsrError


def program(program_bytes: int, segments_bytes: int = 0) -> bytes:
    """A file with a sound header and nothing behind it."""
    offset = program_bytes if segments_bytes else 0
    header = struct.pack("<I4s4sIQQQ", 32, b"ET12", b"eh00", 32, program_bytes, offset, segments_bytes)
    return header.ljust(program_bytes + segments_bytes, b"\0")


def write(folder: Path, content: bytes) -> Path:
    (folder / "model.pte").write_bytes(content)
    return folder / "model.pte"


def ours(version: int) -> bytes:
    """A program that names its contract, as our metadata does."""
    text = b'{"format": "edge-asr", "contract_version": %d, ' % version
    return program(100, 900)[:-500] + text.ljust(500, b"\0")


@pytest.mark.parametrize("content", [program(100), program(100, 900), program(100) + bytes(8), ours(CONTRACT_VERSION)])
def test_a_whole_file_passes(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, sealed(content))
    check_program_file(path)
    file = read_program_file(path)
    assert (file.content, file.checksum) == (sealed(content), zlib.crc32(content))


def test_the_trailer_is_the_one_the_contract_describes() -> None:
    assert sealed(b"123456789") == b"123456789EASRSUM1\x26\x39\xf4\xcb"  # the check value of CRC-32


@pytest.mark.parametrize("size", [1, 4, 5, 7, 8, 31, 32, 39, 40, 99, 100, 999])
def test_a_program_cut_anywhere_is_told_from_a_whole_one(tmp_path: Path, size: int) -> None:
    path = write(tmp_path, sealed(program(100, 900))[:size])
    with pytest.raises(EdgeAsrError, match=rf"model\.pte: the model file is cut short \({size} bytes\)"):
        check_program_file(path)


@pytest.mark.parametrize("missing", range(1, TRAILER.size + 1))
def test_a_trailer_cut_anywhere_is_told(tmp_path: Path, missing: int) -> None:
    path = write(tmp_path, sealed(ours(CONTRACT_VERSION))[:-missing])
    with pytest.raises(EdgeAsrError, match=r"model\.pte: the model file is cut short or damaged .*copy or export"):
        check_program_file(path)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("at", [100, 499, 500, 501, 999, -4, -1])
def test_any_flipped_bit_is_told(tmp_path: Path, at: int, bit: int) -> None:
    content = bytearray(sealed(ours(CONTRACT_VERSION)))
    content[at] ^= 1 << bit
    with pytest.raises(EdgeAsrError, match=r"model\.pte: damaged \(checksum .*\): .*copy or export it again"):
        check_program_file(write(tmp_path, bytes(content)))


def test_a_flipped_bit_in_the_trailers_name_is_told(tmp_path: Path) -> None:
    content = bytearray(sealed(ours(CONTRACT_VERSION)))
    content[-TRAILER.size] ^= 1
    with pytest.raises(EdgeAsrError, match="damaged"):
        check_program_file(write(tmp_path, bytes(content)))


def test_a_file_larger_than_a_block_is_summed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_file, "BLOCK_BYTES", 64)
    content = bytearray(sealed(ours(CONTRACT_VERSION)))
    check_program_file(write(tmp_path, bytes(content)))
    content[900] ^= 1
    with pytest.raises(EdgeAsrError, match="damaged"):
        check_program_file(write(tmp_path, bytes(content)))


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        (CONTRACT_VERSION - 1, "export the checkpoint again"),
        (CONTRACT_VERSION + 1, "upgrade edge-asr, or export the checkpoint again"),
    ],
)
def test_a_file_of_another_contract_is_named_even_without_a_trailer(tmp_path: Path, version: int, way_out: str) -> None:
    path = write(tmp_path, ours(version))
    line = rf"model\.pte: made for contract {version}, this edge-asr reads contract {CONTRACT_VERSION}: {way_out}$"
    with pytest.raises(EdgeAsrError, match=line):
        check_program_file(path)


def test_a_contract_that_is_stated_across_two_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_file, "BLOCK_BYTES", 510)
    with pytest.raises(EdgeAsrError, match="made for contract 1"):
        check_program_file(write(tmp_path, ours(1)))


def test_a_program_of_another_maker_is_not_ours_and_passes_where_it_may(tmp_path: Path) -> None:
    path = write(tmp_path, program(100, 900))
    with pytest.raises(EdgeAsrError, match=r"model\.pte: not a model made by edge-asr"):
        check_program_file(path)
    with pytest.raises(EdgeAsrError, match=r"model\.pte: not a model made by edge-asr"):
        read_program_file(path)
    assert read_program_file(path, foreign_too=True).checksum is None


@pytest.mark.parametrize("content", [bytes(500), b"PK\x03\x04" + bytes(500), b"#!/bin/sh\n", b"\x80ELF" * 20])
def test_other_files_are_not_programs(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EdgeAsrError, match=r"model\.pte: not an ExecuTorch program"):
        check_program_file(write(tmp_path, content))


def test_an_empty_file_a_folder_a_pipe_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pte")
    with pytest.raises(EdgeAsrError, match=r"pipe\.pte: a pipe or device, not a model"):
        check_program_file(tmp_path / "pipe.pte")
    with pytest.raises(EdgeAsrError, match="is empty"):
        check_program_file(write(tmp_path, b""))
    with pytest.raises(EdgeAsrError, match="a folder, not a model"):
        check_program_file(tmp_path)
    with pytest.raises(EdgeAsrError, match=r"absent\.pte: no such model file"):
        check_program_file(tmp_path / "absent.pte")
