"""What can be told of a `.pte` before a runtime maps it into memory: whether it is whole, and as it was written.

Runtimes answer a bad file with an error number, or, where it was cut short, with a bus error much later; one whose
bits flipped may crash them.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge_asr.contract import CONTRACT_VERSION, FORMAT, TRAILER, TRAILER_MAGIC, other_contract
from edge_asr.errors import EdgeAsrError

# flatbuffer: root offset, "ET" and two digits; then the extended header: magic, length, size of the program,
# offset of the segments (weights), and, where the length has room for it, their size
FILE_MAGIC = b"ET"
HEADER_MAGIC = b"eh00"
HEADER = struct.Struct("<4x2s2x4sIQQ")
SEGMENTS_SIZE = struct.Struct("<Q")

AGAIN = "copy or export it again"
BLOCK_BYTES = 2**20  # of the file in memory at a time
OUR_METADATA = re.compile(rb'"format": "%s", "contract_version": (\d{1,9}),' % FORMAT.encode())


def check_program_file(path: Path, foreign_too: bool = False) -> int | None:
    """Raises EdgeAsrError where `path` is not a whole, undamaged program of this contract.

    Returns its checksum. With `foreign_too`, a program of another maker passes, and has None.
    """
    check_header(path)
    checksum = read_checksum(path)
    if checksum is not None:
        return checksum
    version = stated_contract(path)
    if version is None:
        if foreign_too:
            return None
        raise EdgeAsrError(f"{path}: not a model made by edge-asr (it has no checksum): export it with edge-asr")
    if version != CONTRACT_VERSION:
        raise EdgeAsrError(f"{path}: {other_contract(version)}")
    raise EdgeAsrError(f"{path}: the model file is cut short or damaged (no checksum at its end): {AGAIN}")


def check_header(path: Path) -> None:
    """Raises EdgeAsrError where `path` is not an ExecuTorch program as long as its header says."""
    if not path.exists():
        raise EdgeAsrError(f"{path}: no such model file")
    if path.is_dir():
        raise EdgeAsrError(f"{path}: a folder, not a model: name the .pte file in it")
    try:
        with path.open("rb") as file:
            head = file.read(HEADER.size + SEGMENTS_SIZE.size)
        size = path.stat().st_size
    except OSError as error:
        raise EdgeAsrError(f"{path}: cannot be read ({error.strerror})") from None
    if not size:
        raise EdgeAsrError(f"{path}: the model file is empty (0 bytes): {AGAIN}")
    needed = size + 1
    if len(head) >= HEADER.size:
        file_magic, header_magic, length, program_size, segments_offset = HEADER.unpack_from(head)
        if file_magic != FILE_MAGIC:
            raise EdgeAsrError(f"{path}: not an ExecuTorch program: expected a .pte made by edge-asr")
        if header_magic != HEADER_MAGIC:
            return  # a program of an older layout: its own runtime judges it
        segments_size = 0
        if length >= HEADER.size - 8 + SEGMENTS_SIZE.size and len(head) == HEADER.size + SEGMENTS_SIZE.size:
            (segments_size,) = SEGMENTS_SIZE.unpack_from(head, HEADER.size)
        needed = max(program_size, segments_offset + segments_size)
    elif not FILE_MAGIC.startswith(head[4:6]):
        raise EdgeAsrError(f"{path}: not an ExecuTorch program: expected a .pte made by edge-asr")
    if size < needed:
        raise EdgeAsrError(f"{path}: the model file is cut short ({size} bytes): {AGAIN}")


def read_checksum(path: Path) -> int | None:
    """The CRC-32 of a file's trailer, once it has proved right; None where the file has no trailer.

    Raises EdgeAsrError where the bytes are not those that were written.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < TRAILER.size:
                return None
            file.seek(size - TRAILER.size)
            magic, stated = TRAILER.unpack(file.read(TRAILER.size))
            if magic != TRAILER_MAGIC:
                return None
            found = 0
            for block in blocks(file, size - TRAILER.size):
                found = zlib.crc32(block, found)
    except (OSError, struct.error) as error:
        reason = getattr(error, "strerror", None) or "it changed meanwhile"
        raise EdgeAsrError(f"{path}: cannot be read ({reason})") from None
    if found != stated:
        raise EdgeAsrError(
            f"{path}: damaged (checksum {found:08x}, written as {stated:08x}): bytes have changed on the way: {AGAIN}"
        )
    return int(stated)


def stated_contract(path: Path) -> int | None:
    """The contract that a file without a trailer says it was made for, found by its text; None where it is not ours."""
    try:
        with path.open("rb") as file:
            before = b""
            for block in blocks(file, path.stat().st_size):
                found = OUR_METADATA.search(before + block)
                if found:
                    return int(found[1])
                before = block[-100:]
    except OSError as error:
        raise EdgeAsrError(f"{path}: cannot be read ({error.strerror})") from None
    return None


def blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, BLOCK_BYTES at a time."""
    file.seek(0)
    left = size
    while left and (block := file.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        yield block
