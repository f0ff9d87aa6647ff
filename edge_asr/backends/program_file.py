"""What can be told of a `.pte` from its first bytes, before a runtime maps it into memory.

Runtimes answer a bad file with an error number, or, where it was cut short, with a bus error much later.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edge_asr.errors import EdgeAsrError

# flatbuffer: root offset, "ET" and two digits; then the extended header: magic, length, size of the program,
# offset of the segments (weights), and, where the length has room for it, their size
FILE_MAGIC = b"ET"
HEADER_MAGIC = b"eh00"
HEADER = struct.Struct("<4x2s2x4sIQQ")
SEGMENTS_SIZE = struct.Struct("<Q")


def check_program_file(path: Path) -> None:
    """Raises EdgeAsrError where `path` is not a whole ExecuTorch program."""
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
        raise EdgeAsrError(f"{path}: the model file is empty (0 bytes): copy or export it again")
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
        raise EdgeAsrError(f"{path}: the model file is cut short ({size} bytes): copy or export it again")
