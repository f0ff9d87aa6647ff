"""What can be told of a `.pte` before a runtime loads it: whether it is whole, and as it was written, and what it says
of itself.

Runtimes answer a bad file with an error number, or, where it was cut short, with a bus error much later; one whose
bits flipped may crash them. Everything is read through one descriptor, and whoever goes on to use the file takes the
bytes that were checked: its name may stand for another file by then.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_asr.contract import CONTRACT_VERSION, FORMAT, TRAILER, TRAILER_MAGIC, Metadata, other_contract
from edge_asr.errors import EdgeAsrError

# flatbuffer: root offset, "ET" and two digits; then the extended header: magic, length, size of the program,
# offset of the segments (weights), and, where the length has room for it, their size
FILE_MAGIC = b"ET"
HEADER_MAGIC = b"eh00"
HEADER = struct.Struct("<4x2s2x4sIQQ")
SEGMENTS_SIZE = struct.Struct("<Q")

AGAIN = "copy or export it again"
BLOCK_BYTES = 2**20  # of the file in memory at a time
OUR_METADATA = re.compile(rb'\{"format": "%s", "contract_version": (\d{1,9}),' % FORMAT.encode())
LONGEST_METADATA = 2**20  # bytes


@dataclass(frozen=True)
class ProgramFile:
    """A file that was found whole and undamaged."""

    path: Path  # where it was
    content: bytes
    checksum: int | None  # None where it is of another maker

    def metadata(self) -> Metadata:
        """The JSON that the exporter wrote; it stands in the file as it is. Raises EdgeAsrError."""
        for found in OUR_METADATA.finditer(self.content):
            content = self.content[found.start() : found.start() + LONGEST_METADATA]
            text = content.decode("utf-8", errors="surrogateescape")
            try:
                _, end = json.JSONDecoder().raw_decode(text)
                return Metadata.from_json(text[:end])
            except (ValueError, RecursionError):
                continue
            except EdgeAsrError as error:
                raise EdgeAsrError(f"{self.path}: {error}") from None
        raise EdgeAsrError(
            f"{self.path}: not a model made by edge-asr (its metadata is missing): export it with edge-asr"
        )


def read_program_file(path: Path, foreign_too: bool = False) -> ProgramFile:
    """The whole file. Raises EdgeAsrError as `check_program_file` does."""
    with opened(path) as file:
        content = file.read()
    return ProgramFile(path, content, check(path, io.BytesIO(content), len(content), foreign_too))


def check_program_file(path: Path) -> None:
    """Raises EdgeAsrError where `path` is not a whole, undamaged program of this contract.

    Reads block by block. Only for a caller that leaves it to a runtime of ours to open, and to check, the file again.
    """
    with opened(path) as file:
        check(path, file, os.fstat(file.fileno()).st_size)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file that is not empty. Raises EdgeAsrError, also where it cannot be read inside the block."""
    try:
        # a named pipe would otherwise be waited for
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise EdgeAsrError(f"{path}: a pipe or device, not a model: name a .pte file")
            if not about.st_size:
                raise EdgeAsrError(f"{path}: the model file is empty (0 bytes): {AGAIN}")
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise EdgeAsrError(f"{path}: no such model file") from None
    except IsADirectoryError:
        raise EdgeAsrError(f"{path}: a folder, not a model: name the .pte file in it") from None
    except OSError as error:
        raise EdgeAsrError(f"{path}: cannot be read ({error.strerror})") from None


def check(path: Path, file: BinaryIO, size: int, foreign_too: bool = False) -> int | None:
    """The checksum of a file of `size` bytes; with `foreign_too`, a program of another maker passes, and has None.

    Raises EdgeAsrError where it is not whole and undamaged; OSError.
    """
    check_header(path, file, size)
    checksum = read_checksum(path, file, size)
    if checksum is not None:
        return checksum
    version = stated_contract(file, size)
    if version is None:
        if foreign_too:
            return None
        raise EdgeAsrError(f"{path}: not a model made by edge-asr (it has no checksum): export it with edge-asr")
    if version != CONTRACT_VERSION:
        raise EdgeAsrError(f"{path}: {other_contract(version)}")
    raise EdgeAsrError(f"{path}: the model file is cut short or damaged (no checksum at its end): {AGAIN}")


def check_header(path: Path, file: BinaryIO, size: int) -> None:
    """Raises EdgeAsrError where it is not an ExecuTorch program as long as its header says."""
    file.seek(0)
    head = file.read(HEADER.size + SEGMENTS_SIZE.size)
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


def read_checksum(path: Path, file: BinaryIO, size: int) -> int | None:
    """The CRC-32 of a file's trailer, once it has proved right; None where the file has no trailer.

    Raises EdgeAsrError where the bytes are not those that were written.
    """
    if size < TRAILER.size:
        return None
    file.seek(size - TRAILER.size)
    trailer = file.read(TRAILER.size)
    if len(trailer) < TRAILER.size:
        raise EdgeAsrError(f"{path}: cannot be read (it changed meanwhile): {AGAIN}")
    magic, stated = TRAILER.unpack(trailer)
    if magic != TRAILER_MAGIC:
        return None
    found = 0
    for block in blocks(file, size - TRAILER.size):
        found = zlib.crc32(block, found)
    if found != stated:
        raise EdgeAsrError(
            f"{path}: damaged (checksum {found:08x}, written as {stated:08x}): bytes have changed on the way: {AGAIN}"
        )
    return int(stated)


def stated_contract(file: BinaryIO, size: int) -> int | None:
    """The contract that a file without a trailer says it was made for, found by its text; None where it is not ours."""
    before = b""
    for block in blocks(file, size):
        found = OUR_METADATA.search(before + block)
        if found:
            return int(found[1])
        before = block[-100:]
    return None


def blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, BLOCK_BYTES at a time."""
    file.seek(0)
    left = size
    while left and (block := file.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        yield block
