"""Models that `edge-asr-run` refuses, in one line that says what to do."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.native.runs import Runner, fails


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def resealed(data: bytes, before: bytes, after: bytes) -> bytes:
    """A whole file of ours with another text in its metadata."""
    assert len(before) == len(after)
    assert data.count(before) == 1
    program = data[:-12].replace(before, after)
    return program + struct.pack("<8sI", b"EASRSUM1", zlib.crc32(program))


BAD_MODELS: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "empty": (lambda data: b"", ["empty (0 bytes)"]),
    "foreign": (lambda data: b"PK\3\4 a zip file, and no model at all", ["not an ExecuTorch program"]),
    "cut short": (lambda data: data[: len(data) // 2], ["cut short"]),
    "a head only": (lambda data: data[:20], ["cut short"]),
    "without its end": (lambda data: data[:-12], ["no checksum"]),
    "flipped at the start": (lambda data: flipped(data, 100), ["damaged", "checksum", "copy or export it again"]),
    "flipped at the end": (lambda data: flipped(data, len(data) - 100), ["damaged", "checksum"]),
    "contract 2": (
        lambda data: resealed(data, b'"contract_version": 4', b'"contract_version": 2'),
        ["made for contract 2", "export the checkpoint again"],
    ),
    "contract 9": (
        lambda data: resealed(data, b'"contract_version": 4', b'"contract_version": 9'),
        ["upgrade edge-asr"],
    ),
    "another maker's": (lambda data: resealed(data, b'"format": "edge-asr"', b'"format": "edgy-asr"'), ["not a model"]),
    "untrue": (lambda data: resealed(data, b'"frame_samples": 640', b'"frame_samples": 64 '), ["does not follow"]),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_a_bad_model_is_one_line_that_says_what_to_do(
    runner: Runner, tiny_pte: Path, beeps: Path, tmp_path: Path, kind: str
) -> None:
    make, parts = BAD_MODELS[kind]
    path = tmp_path / "bad.pte"
    path.write_bytes(make(tiny_pte.read_bytes()))
    fails(runner(beeps, "--model", path), str(path), *parts)


def test_no_model_where_it_is_said_to_be(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    fails(runner(beeps, "--model", tmp_path / "none.pte"), "no such model file")
    fails(runner(beeps, "--model", tmp_path), "a folder, not a model")
    fails(runner(beeps, "--model", "/dev/null"), "a pipe or device, not a model")
