"""Writes `program_file.jsonl`: small files, and whether they may be a whole, undamaged program of this contract.

usage: python -m tests.vectors.program_file

A line has `name`, `bytes` (hexadecimal), and `refused`: null, `empty`, `kind` (no ExecuTorch program), `short`,
`damaged`, or, where there is no trailer, `contract` (of another version) or `unsealed` (not ours).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_asr.contract import CONTRACT_VERSION

FILE = Path(__file__).with_name("program_file.jsonl")
MAGIC = b"EASRSUM1"
BODY = bytes(range(60))  # what follows a header; no reader of a file looks at it


def with_trailer(program: bytes, off: int = 0) -> bytes:
    return program + MAGIC + struct.pack("<I", zlib.crc32(program) ^ off)


def with_header(size: int, segments: int, segments_size: int = 0, length: int = 32, magic: bytes = b"eh00") -> bytes:
    return b"\0\0\0\0ET12" + magic + struct.pack("<IQQQ", length, size, segments, segments_size) + BODY


def says(version: str) -> bytes:
    return b'\0\0\0\0ET12----{"format": "edge-asr", "contract_version": ' + version.encode()


def files() -> Iterator[tuple[str, bytes, str | None]]:
    yield "whole, without a header", with_trailer(b"\0\0\0\0ET12" + BODY), None
    yield "whole, with a header", with_trailer(with_header(100, 0)), None
    yield "its size with the trailer is what the header promises", with_trailer(with_header(112, 0)), None
    yield "segments end where the file does", with_trailer(with_header(100, 50, 62)), None
    yield "a header without a size of segments", with_trailer(with_header(100, 0, 2**63, length=24)), None
    yield "the shortest", with_trailer(b"\0\0\0\0ET12" + bytes(12)), None
    yield "metadata of another contract in a sealed file", with_trailer(says("1,")), None
    yield "empty", b"", "empty"
    yield "a sound", b"RIFF0000WAVEfmt " + bytes(60), "kind"
    yield "a sound with a trailer", with_trailer(b"RIFF0000WAVEfmt " + bytes(60)), "kind"
    yield "half of the magic is wrong", with_trailer(b"\0\0\0\0EX12" + BODY), "kind"
    yield "five bytes of another kind", b"\0\0\0\0X", "kind"
    yield "only a trailer", with_trailer(b""), "kind"
    for size in (1, 4, 5, 6, 31):
        yield f"{size} bytes", (b"\0\0\0\0ET12" + BODY)[:size], "short"
    yield "a trailer on very little", with_trailer(b"\0\0\0\0ET12" + bytes(11)), "short"
    yield "a program longer than the file", with_trailer(with_header(113, 0)), "short"
    yield "segments beyond the file", with_trailer(with_header(100, 113)), "short"
    yield "segments that end beyond the file", with_trailer(with_header(100, 50, 63)), "short"
    yield "a program of 2^64 - 1 bytes", with_trailer(with_header(2**64 - 1, 0)), "short"
    yield "segments whose end is beyond 2^64", with_trailer(with_header(100, 2**64 - 1, 2)), "short"
    yield "segments at 2^63", with_trailer(with_header(100, 2**63)), "short"
    yield "cut in the middle", with_trailer(with_header(100, 50, 50))[:80], "short"
    yield "no trailer", with_header(100, 0), "unsealed"
    yield "half a trailer", with_trailer(with_header(100, 0))[:-5], "unsealed"
    yield "a byte after the trailer", with_trailer(with_header(100, 0)) + b"\0", "unsealed"
    yield "another magic", with_header(100, 0) + b"EASRSUM2" + bytes(4), "unsealed"
    for version in ("x,", ",", "4 ", "-1,", "1234567890,", "1"):
        yield f"no trailer, contract_version {version!r}", says(version), "unsealed"
    yield "no trailer, of contract 1", says("1, "), "contract"
    yield "no trailer, of a late contract", says("999999999,"), "contract"
    yield "no trailer, of contract 1 behind another text", says("x,") + says("1,"), "contract"
    yield "no trailer, of this contract", says(f"{CONTRACT_VERSION},"), "short"
    yield "a bit of the sum flipped", with_trailer(with_header(100, 0), off=1 << 31), "damaged"
    yield "a bit of the program flipped", with_trailer(with_header(100, 0)).replace(b"\x3b", b"\x3a"), "damaged"
    yield "a sum of nothing", with_header(100, 0) + MAGIC + bytes(4), "damaged"
    yield (
        "the sum in the other order",
        with_header(100, 0) + MAGIC + struct.pack(">I", zlib.crc32(with_header(100, 0))),
        ("damaged"),
    )


def lines() -> Iterator[dict[str, Any]]:
    for name, content, reason in files():
        yield {"name": name, "bytes": content.hex(), "refused": reason}


def text() -> str:
    return "".join(json.dumps(line) + "\n" for line in lines())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
