"""Sound files of every kind that the runner reads, and metadata as no exporter writes it."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.contract import Metadata
from edge_asr.errors import EdgeAsrError
from tests.backends.conftest import TOY

UNKNOWN_SIZE = 0xFFFFFFFF  # of a recorder into a pipe


@dataclass(frozen=True)
class Sound:
    """A file that is as it should be, and what is in it."""

    path: Path
    samples: np.ndarray  # float32
    is_cut: bool = False  # its header promises more


def write_sounds(folder: Path) -> list[Sound]:
    noise = 0.1 * np.random.default_rng(0).standard_normal(14_000)
    integers = (noise * 32_768).astype(np.int16)
    sounds = []
    for container in ("WAV", "WAVEX"):
        for subtype, samples in (("PCM_16", integers), ("FLOAT", noise.astype(np.float32))):
            path = folder / f"{container}-{subtype}.wav"
            soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype, format=container)
            scaled = samples.astype(np.float32) / 32_768 if subtype == "PCM_16" else samples
            sounds.append(Sound(path, scaled))
    plain = sounds[0]
    whole = plain.path.read_bytes()
    for name, content in variants(whole).items():
        (folder / f"{name}.wav").write_bytes(content)
        sounds.append(Sound(folder / f"{name}.wav", plain.samples, is_cut=name == "longer-than-it-is"))
    return sounds


def variants(whole: bytes) -> dict[str, bytes]:
    """A WAV file of 16-bit PCM, written otherwise: the same samples are in it."""
    at = whole.index(b"data")
    head, data = whole[:at], whole[at:]
    riff, form = whole[:12], whole[12:at]

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def riff_of(size: int) -> bytes:
        return riff[:4] + struct.pack("<I", size) + riff[8:]

    def data_of(size: int) -> bytes:
        return data[:4] + struct.pack("<I", size) + data[8:]

    longer_format = chunk(b"fmt ", form[8:24] + b"\0\0")
    return {
        "list-before": head + chunk(b"LIST", b"INFOISFT" + bytes(7)) + data,
        "odd-chunks": riff + chunk(b"junk", b"odd") + form + chunk(b"fact", b"") + chunk(b"bext", bytes(601)) + data,
        "chunk-after": whole + chunk(b"LIST", b"adtl"),
        "longer-format": riff + longer_format + data,
        "two-formats": head + longer_format + data,
        "odd-data": head + data_of(len(data) - 8 + 1) + b"\x7f",
        "streamed": riff_of(UNKNOWN_SIZE) + form + data_of(UNKNOWN_SIZE),
        "streamed-zero": riff_of(0) + form + data_of(0),
        "longer-than-it-is": head + data_of(len(data) + 1_000_000),
        "riff-says-less": riff_of(4) + form + data,
    }


ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        4,
        5,
        639,
        641,
        2**24,
        2**24 + 1,
        2**31 - 1,
        2**31,
        2**32,
        2**63,
        2**64,
        -(2**63),
    ),
    *(0.5, 1.0, -0.0, 1.5, 4.0, 1e308, 5e-324, float("nan"), float("inf"), 10**400),
    *("", "4", "edge-asr", "x" * 50_000, "\0", "\ud800", "▁" * 1_000),
    *(
        [],
        {},
        [[]],
        [None],
        ["<blank>"],
        {"a": 1},
        [1, 2, 3, 4],
        ["a", 2, "c", "d"],
        [""] * 4,
        ["a"] * 5,
        ["a"] * 9_000,
    ),
)
ODD_TEXTS: tuple[bytes, ...] = (
    *(
        b"",
        b" ",
        b"null",
        b"4",
        b'"edge-asr"',
        b"[]",
        b"{}",
        b"{",
        b"}",
        b'{"format"',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
    ),
    *(b'{"format": "edge-asr"}', b'{"format": "edge-asr", "contract_version": 4}', b"NaN", b"-", b"1e", b'"\\u12'),
    *(bracket * depth for bracket in (b"[", b'{"a":', b"[{") for depth in (9, 2_000, 60_000)),
    *(b"[" * depth + b"]" * depth for depth in (7, 9, 2_000, 90_000)),
)
BYTES_OF_JSON = b'{}[]",:\\0123456789eE+-.truefalsn \xff\x80\xc3\x00\n'


def odd_metadata(count: int) -> list[bytes]:
    """`count` texts: the toy's own first, then each of its values replaced or gone, then damage of every kind."""
    chance = random.Random(0)
    right = TOY.to_json().encode()
    values: dict[str, Any] = json.loads(right)
    texts = [right, *ODD_TEXTS]
    for key in values:
        texts.append(as_json({name: value for name, value in values.items() if name != key}))
        texts.extend(as_json({**values, key: odd}) for odd in ODD_VALUES)
        for depth in (3, 9, 3_000, 80_000):
            old = as_json({key: values[key]})[1:-1]
            texts.append(as_json(values).replace(old, b'"%s": ' % key.encode() + b"[" * depth + b"]" * depth))
        texts.append(right[:-1] + b", " + as_json({key: 7})[1:])  # twice
    assert len(texts) < count, "there is room for all, and for damage"
    while len(texts) < count:
        texts.append(damaged(right, chance))
    return texts


def as_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode()


def damaged(text: bytes, chance: random.Random) -> bytes:
    broken = bytearray(text)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(broken) or 1)
        kind = chance.randrange(4)
        if kind == 0:
            del broken[at : at + chance.choice((1, 1, 10, 500))]
        elif kind == 1:
            broken[at:at] = bytes(chance.choices(BYTES_OF_JSON, k=chance.choice((1, 1, 4, 40))))
        elif kind == 2 and broken:
            broken[at] = chance.randrange(256)
        elif broken:
            broken[at] = chance.choice(BYTES_OF_JSON)
    return bytes(broken)


def follows_the_toy(text: bytes) -> bool:
    """Whether Python reads this metadata, and the toy has the shapes that it states."""
    try:
        found = Metadata.from_json(text)
    except EdgeAsrError:
        return False
    sizes = (found.chunk_samples, found.chunk_frames, len(found.pieces))
    return sizes == (TOY.chunk_samples, TOY.chunk_frames, len(TOY.pieces))
