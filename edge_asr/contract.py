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
| `keep` | float32 [chunk_frames] | 1 where the frame was handed to the upper stack, 0 where it is blank for good |
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

`metadata()` returns the JSON of `Metadata` as a uint8 tensor of UTF-8 bytes.

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
    def frame_s(self) -> float:
        return self.frame_samples / self.sample_rate_hz

    @property
    def chunk_ms(self) -> float:
        return 1_000 * self.chunk_samples / self.sample_rate_hz

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Raises EdgeAsrError where the text is not ours, or of another contract."""
        try:
            values: dict[str, Any] = json.loads(text)
            if values.pop("format") != FORMAT:
                raise KeyError("format")
            version = int(values["contract_version"])
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            raise EdgeAsrError("not a model made by edge-asr (its metadata is missing or foreign)") from None
        if version != CONTRACT_VERSION:
            raise EdgeAsrError(other_contract(version))
        try:
            return cls(**{**values, "pieces": tuple(values["pieces"])})
        except (KeyError, TypeError):
            raise EdgeAsrError(f"its metadata does not follow contract {version}") from None


def other_contract(version: int) -> str:
    """What to tell the user of a file that was made for another contract."""
    way_out = "upgrade edge-asr, or export" if version > CONTRACT_VERSION else "export"
    return (
        f"made for contract {version}, this edge-asr reads contract {CONTRACT_VERSION}: {way_out} the checkpoint again"
    )


def sealed(program: bytes) -> bytes:
    """A program with its trailer."""
    return program + TRAILER.pack(TRAILER_MAGIC, zlib.crc32(program))
