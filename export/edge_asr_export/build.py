"""A checkpoint in, a verified `.pte` out."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import importlib.metadata
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_asr import __version__
from edge_asr.contract import CONTRACT_VERSION, PRECISIONS, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint
from edge_asr.source_identity import git_commit
from edge_asr_export.eager import EagerBackend
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.lower import build_program
from edge_asr_export.quantize import quantize
from edge_asr_export.structure import check_structure
from edge_asr_export.verify import verify_fp32, verify_quantized


@dataclass(frozen=True)
class BuildReport:
    """What was written and what it has shown."""

    path: Path  # the file
    bytes: int  # its size
    sha256: str  # its hash
    precision: str  # int8, int4 or fp32
    chunk_ms: float  # audio of a step
    build_s: float  # time the export took, checks included
    checks: dict[str, float | str] = field(default_factory=dict)  # what was verified, with the figures seen

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"path": str(self.path)}


def build(
    checkpoint: Path,
    output: Path,
    *,
    precision: str = "int8",
    chunk_ms: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> BuildReport:
    """Export, verify, and only then give the file its name. Takes one to four minutes.

    Raises EdgeAsrError for an unfit checkpoint or chunk, and where a check fails; no file is left behind then.
    """
    started_s = time.monotonic()
    tell = progress or (lambda _: None)
    if precision not in PRECISIONS:
        raise EdgeAsrError(f"precision '{precision}' is none of {', '.join(PRECISIONS)}")
    loaded = with_chunk(load_checkpoint(checkpoint), chunk_ms)
    metadata = describe(loaded, checkpoint, precision)
    with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f"{output.name}.", suffix=".partial") as reserved:
        partial = Path(reserved.name)  # of this export alone: another to the same name may be under way
    try:
        encoder = copy.deepcopy(loaded.model).requires_grad_(False)
        quantize(encoder, precision)
        content = build_program(encoder, metadata, tell)
        partial.write_bytes(content)
        tell("verifying")
        checks = verify(partial, EagerBackend(loaded.model, metadata), precision)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return BuildReport(
        path=output,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        precision=precision,
        chunk_ms=metadata.chunk_ms,
        build_s=round(time.monotonic() - started_s, 1),
        checks=checks,
    )


def verify(path: Path, reference: EagerBackend, precision: str) -> dict[str, float | str]:
    """Structure, then behaviour. Raises EdgeAsrError."""
    encoder = reference.encoder
    labels_wait = encoder.spec.labels_wait
    check_structure(inspect_pte(path), precision, encoder.always_run() if labels_wait else None)
    checks: dict[str, float | str] = {"structure": "a branch for each stack, delegated; nothing heavy outside"}
    if labels_wait:
        checks["labels"] = "only inside the branch"
    return checks | (verify_fp32 if precision == "fp32" else verify_quantized)(path, reference)


def with_chunk(checkpoint: Checkpoint, chunk_ms: int | None) -> Checkpoint:
    """The same weights at another chunk length. Raises EdgeAsrError where it does not fit the frames or the context."""
    if chunk_ms is None:
        return checkpoint
    frame_ms = checkpoint.model.spec.frame_ms
    frames, rest = divmod(chunk_ms, frame_ms)
    try:
        if rest or not frames:
            raise ValueError(f"a chunk is a whole number of frames of {frame_ms:g} ms")
        return dataclasses.replace(checkpoint, model=checkpoint.model.with_chunk(int(frames)))
    except ValueError as error:
        fits = ", ".join(f"{count * frame_ms:g}" for count in checkpoint.model.possible_chunks())
        raise EdgeAsrError(f"--chunk-ms {chunk_ms}: {error}; try {fits}") from None


def describe(checkpoint: Checkpoint, path: Path, precision: str) -> Metadata:
    """The metadata that travels in the file."""
    spec = checkpoint.model.spec
    identity = {"checkpoint_sha256": file_sha256(path)}
    versions = {name: importlib.metadata.version(name) for name in ("executorch", "torch", "torchao")}
    return Metadata(
        contract_version=CONTRACT_VERSION,
        sample_rate_hz=spec.sample_rate_hz,
        chunk_samples=spec.chunk_frames * spec.frame_samples,
        chunk_frames=spec.chunk_frames,
        frame_samples=spec.frame_samples,
        blank_id=spec.blank_id,
        pieces=checkpoint.tokens.pieces,
        default_threshold=checkpoint.default_threshold,
        precision=precision,
        lower_layers=spec.lower_layers,
        upper_layers=spec.upper_layers,
        training=checkpoint.training | identity,
        exporter={"edge_asr": __version__, "git_commit": git_commit()} | versions,
    )
