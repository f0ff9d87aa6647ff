"""Where the loader looks for the libraries of an ELF file: its RUNPATH (or RPATH), read and shortened in place.

A RUNPATH such as `$ORIGIN/../lib` is code execution for whoever may write beside the file's folder: a bundle that is
unpacked into a folder of /tmp would load libraries out of /tmp/lib, which any user may create.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from edge_asr.errors import EdgeAsrError

ORIGIN = "$ORIGIN"  # the folder of the file itself

IDENT = b"\x7fELF\2\1"  # 64-bit, little-endian: what all our targets are
FILE_HEADER = struct.Struct("<32xQ14xHH")  # offset, size and number of the program headers
PROGRAM_HEADER = struct.Struct("<I4xQQ8xQ16x")  # type, offset in the file, address, size in the file
DYNAMIC_ENTRY = struct.Struct("<qQ")
LOAD, DYNAMIC = 1, 2
END, STRING_TABLE, RPATH, RUNPATH = 0, 5, 15, 29


class PathEntry(NamedTuple):
    """A search path in a file."""

    offset: int  # of its text in the file
    text: str
    shared: bool  # whether it is the end of a longer string, which something else in the file may use


def read_runpath(path: Path) -> str | None:
    """The search path of an ELF file, or None where it has none. Raises EdgeAsrError, OSError."""
    entries = path_entries(path, path.read_bytes())
    return entries[0].text if entries else None


def set_runpath(path: Path, wanted: str) -> None:
    """Give the file another search path, no longer than the one it has; a file without one stays as it is.

    Only the bytes of the new path and the zero that ends it are written: what follows may be in use, as linkers let one
    string be the end of another. Raises EdgeAsrError where the path does not fit or is such an end; OSError.
    """
    for entry in path_entries(path, path.read_bytes()):
        if entry.text == wanted:
            continue
        if len(entry.text) < len(wanted):
            raise EdgeAsrError(f"{path}: its search path {entry.text} has no room for {wanted}: link it with that one")
        if entry.shared:
            raise EdgeAsrError(f"{path}: its search path {entry.text} is shared with a longer name: link it otherwise")
        with path.open("r+b") as file:
            file.seek(entry.offset)
            file.write(wanted.encode() + b"\0")


def path_entries(path: Path, content: bytes) -> list[PathEntry]:
    try:
        return found_entries(content)
    except (struct.error, ValueError, KeyError):  # UnicodeDecodeError is a ValueError
        raise EdgeAsrError(f"{path}: no 64-bit ELF program or library") from None


def found_entries(content: bytes) -> list[PathEntry]:
    """Raises ValueError, KeyError or struct.error where the content is no such file."""
    if not content.startswith(IDENT):
        raise ValueError
    table, size, count = FILE_HEADER.unpack_from(content)
    headers = [PROGRAM_HEADER.unpack_from(content, table + size * number) for number in range(count)]
    entries: list[tuple[int, int]] = []
    for _, offset, _, length in (header for header in headers if header[0] == DYNAMIC):
        entries += DYNAMIC_ENTRY.iter_unpack(content[offset : offset + length])
    if (END, 0) in entries:
        entries = entries[: entries.index((END, 0))]
    paths = [value for tag, value in entries if tag in (RPATH, RUNPATH)]
    if not paths:
        return []
    strings = file_offset(headers, dict(entries)[STRING_TABLE])
    return [path_at(content, strings + value) for value in paths]


def file_offset(headers: list[tuple[int, ...]], address: int) -> int:
    for kind, offset, start, length in headers:
        if kind == LOAD and start <= address < start + length:
            return offset + address - start
    raise ValueError


def path_at(content: bytes, offset: int) -> PathEntry:
    text = content[offset : content.index(b"\0", offset)].decode()
    return PathEntry(offset, text, shared=content[offset - 1] != 0)
