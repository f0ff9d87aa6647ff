"""What a `.pte` of ours promises. Export, runtime, native runner and Android follow this page, and nothing else.

A file holds one method, whose state lives in its own mutable buffers, and one constant method:

`step(pcm, frames, threshold, flush, reset)` consumes one chunk of the stream.

| input | dtype, shape | meaning |
| --- | --- | --- |
| `pcm` | float32 [1, chunk_samples] | samples in [-1, 1]; zeros after the end of the stream |
| `frames` | int64 [1] | real frames in the chunk: ceil(samples / frame_samples), all but at the end |
| `threshold` | float32 [1] | a frame whose blank probability is above it is skipped; 1 never skips |
| `flush` | int64 [1] | 1: run the upper stack on what waits, however little; 0 otherwise |
| `reset` | int64 [1] | 1 in the first step of a stream: forget the stream before; 0 in every other step |

| output | dtype, shape | meaning |
| --- | --- | --- |
| `partial` | float32 [chunk_frames, vocabulary] | log probabilities of the intermediate head for the chunk's frames |
| `keep` | float32 [chunk_frames] | 1 where the frame is kept for the upper stack, 0 where it is blank for good |
| `final` | float32 [block_frames, vocabulary] | log probabilities of the final head for the frames in `index` |
| `index` | int64 [block_frames] | frame of the stream that each row of `final` belongs to; -1 in empty rows, the last |
| `waiting` | int64 [1] | kept frames that still wait for the upper stack |

Where blank is a decision of its own (factorized CTC), labels run on kept frames only and are not known yet when
`partial` is told: it then gives blank its probability, but never less than 2 / (vocabulary + 1), and every label an
equal share of the rest. Blank is therefore the best of each row, and greedy decoding hears nothing in frames that wait
until `final` says what they are: words come later, and are the same. No host needs to know which kind a file is.

The blank probability that `threshold` is compared with is the one of `partial` or, where the gate is learned, one of
its own that no output tells: a frame whose best in `partial` is a word may be skipped, and is blank all the same.

Rows of `partial` and `keep` past `frames` mean nothing. The upper stack ran in this step if and only if `index[0]`
is not negative. Where it runs, it takes every kept frame that waits, those of this step included: fewer than two
chunks, hence block_frames = 2 * chunk_frames. So `waiting` is 0 after it. Frames are resolved in order.

To end a stream: step the last samples with `flush` = 1, which resolves all that waits. Where no samples are left when
the end is known and frames still wait, step once with `frames` = 0 and `flush` = 1. A host steps so while `waiting` is
not 0: with a file that keeps its promise it does so once at most, and one that does not is told by a `waiting` that
stays.

A stream's first step carries `reset` = 1, also the first after loading: nobody promises that fresh memory is zero. A
stream may be left at any step; the next one's `reset` makes up for it.

What a runtime must do: run `step` again and again in one loaded method, and leave the method's mutable buffers alone
between calls. What it need not do: share memory between methods, write initial values into buffers, or run anything
but `step` and `metadata`. `executorch::extension::Module` with its defaults is such a runtime, and Android's `Module`.

The log probabilities of rows that count are finite: those of `partial` for kept frames, and of `final` for the frames
in `index`. An exporter writes a probability of 0 as a small one. A host refuses NaN and infinity, minus infinity
included: no word can be told from them. It also refuses a `waiting` that is not the number of kept frames that no
`final` has resolved. A refusal ends the stream, as every failed step does.

A word lasts from the start of its first frame to the end of its last, and never beyond the audio: the last frame of a
stream may be shorter than `frame_samples`.

`metadata()` returns the JSON of `Metadata` as a uint8 tensor of UTF-8 bytes. It is an object:

| key | type | range |
| --- | --- | --- |
| `format` | string | `edge-asr` |
| `contract_version` | integer | CONTRACT_VERSION |
| `sample_rate_hz` | integer | 8,000 to 48,000; the host resamples to it |
| `chunk_frames` | integer | 1 to 4,096 |
| `frame_samples` | integer | 1 to 4,096 |
| `chunk_samples` | integer | `chunk_frames` x `frame_samples` |
| `pieces` | array of strings | 2 to 65,536 strings, blank's included; no U+0000 in them |
| `blank_id` | integer | 0 to one less than `pieces` has |
| `default_threshold` | number | 0 to 1 |
| `precision` | string | `int8`, `int4` or `fp32` |
| `lower_layers` | integer | 0 to 1,024 |
| `upper_layers` | integer | 1 to 1,024 |
| `training` | object of strings | |
| `exporter` | object of strings | |

Every key must be there; others are ignored, so that an exporter may add some. Types are strict: an integer is written
without point and exponent, and `true` and `"3"` are no numbers. The text is JSON as RFC 8259 has it. A reader refuses
what some parsers take and others do not: a key that stands twice in an object, NaN and Infinity, numbers beyond
float64, half of a surrogate pair, a byte order mark, anything after the object, and more than 8 objects and arrays in
one another. `tests/vectors/metadata.jsonl` is this table as examples, which every reader is tested with.

The program is followed by a trailer of 12 bytes, the last of the file: `EASRSUM1`, and the CRC-32 (zlib's) of every
byte before the trailer, little-endian. Readers check it before a runtime sees the file, because a runtime believes the
offsets and sizes in it, and may crash on damaged ones. It is integrity, not authenticity: it tells a flipped bit or a
cut end, not who made the file, and whoever changes one on purpose can write a new sum.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from edge_asr import strict_json
from edge_asr.errors import EdgeAsrError

CONTRACT_VERSION = 4  # 2: the trailer; 3: an upper block takes up to two chunks of frames; 4: reset is an input
FORMAT = "edge-asr"
TRAILER_MAGIC = b"EASRSUM1"
TRAILER = struct.Struct("<8sI")  # TRAILER_MAGIC, CRC-32 of everything before it
STEP = "step"
METADATA = "metadata"

BLOCK_CHUNKS = 2  # chunks whose kept frames an upper block may hold

STEP_INPUTS = ("pcm", "frames", "threshold", "flush", "reset")
STEP_OUTPUTS = ("partial", "keep", "final", "index", "waiting")

PRECISIONS = ("int8", "int4", "fp32")
DEEPEST_METADATA = 8  # objects and arrays in one another

NEVER_SKIP = 1.0  # the threshold that keeps every frame


@dataclass(frozen=True)
class Metadata:
    """Travels in the file. Everything a host must know to run it and to name what it ran."""

    contract_version: int  # CONTRACT_VERSION of the exporter
    sample_rate_hz: int  # of `pcm`
    chunk_samples: int  # samples of a step
    chunk_frames: int  # frames of a step
    frame_samples: int  # samples of a frame
    blank_id: int  # CTC's blank
    pieces: tuple[str, ...]  # text of each output; `▁` opens a word
    default_threshold: float  # where the user names none
    precision: str  # int8, int4 or fp32
    lower_layers: int  # layers that always run
    upper_layers: int  # layers behind the gate
    training: dict[str, str]  # identity of the training run and of the checkpoint
    exporter: dict[str, str]  # versions and git commit of the exporter

    @property
    def block_frames(self) -> int:
        """Rows of an upper block."""
        return BLOCK_CHUNKS * self.chunk_frames

    @property
    def chunk_ms(self) -> float:
        return 1_000 * self.chunk_samples / self.sample_rate_hz

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Raises EdgeAsrError where the text is not ours, is of another contract, or breaks this one: see the table."""
        try:
            values = strict_json.parse(text, DEEPEST_METADATA)
        except ValueError:
            values = None
        ours = isinstance(values, dict) and values.get("format") == FORMAT
        if not ours or not _is_integer(values.get("contract_version"), _VERSIONS):
            raise EdgeAsrError("not a model made by edge-asr (its metadata is missing or foreign)")
        version: int = values["contract_version"]
        if version != CONTRACT_VERSION:
            raise EdgeAsrError(other_contract(version))
        broken = _broken_key(values)
        if broken:
            raise EdgeAsrError(f"its metadata does not follow contract {version} ({broken}): export it again")
        known = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        return cls(
            **{**known, "pieces": tuple(values["pieces"]), "default_threshold": float(known["default_threshold"])}
        )


_VERSIONS = range(2**24)
_RANGES = {
    "sample_rate_hz": range(8_000, 48_001),
    "chunk_frames": range(1, 4_097),
    "frame_samples": range(1, 4_097),
    "lower_layers": range(1_025),
    "upper_layers": range(1, 1_025),
}
_PIECES = range(2, 65_537)


def _broken_key(values: dict[str, Any]) -> str | None:
    """The first key, in the order of the table, that is missing or not as the table says."""
    for key in ("sample_rate_hz", "chunk_frames", "frame_samples"):
        if not _is_integer(values.get(key), _RANGES[key]):
            return key
    samples = values["chunk_frames"] * values["frame_samples"]
    if not _is_integer(values.get("chunk_samples"), range(samples, samples + 1)):
        return "chunk_samples"
    pieces = values.get("pieces")
    if not isinstance(pieces, list) or len(pieces) not in _PIECES or not all(map(_is_piece, pieces)):
        return "pieces"
    if not _is_integer(values.get("blank_id"), range(len(pieces))):
        return "blank_id"
    threshold = values.get("default_threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        return "default_threshold"
    if not isinstance(values.get("precision"), str) or values["precision"] not in PRECISIONS:
        return "precision"
    for key in ("lower_layers", "upper_layers"):
        if not _is_integer(values.get(key), _RANGES[key]):
            return key
    return next((key for key in ("training", "exporter") if not _are_texts(values.get(key))), None)


def _is_integer(value: object, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in allowed


def _is_piece(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def other_contract(version: int) -> str:
    """What to tell the user of a file that was made for another contract."""
    way_out = "upgrade edge-asr, or export" if version > CONTRACT_VERSION else "export"
    return (
        f"made for contract {version}, this edge-asr reads contract {CONTRACT_VERSION}: {way_out} the checkpoint again"
    )


def sealed(program: bytes) -> bytes:
    """A program with its trailer."""
    return program + TRAILER.pack(TRAILER_MAGIC, zlib.crc32(program))
