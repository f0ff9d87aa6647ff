"""A checkpoint in, a verified `.pte` out."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import importlib.metadata
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from edge_asr import __version__
from edge_asr.contract import CONTRACT_VERSION, PRECISIONS, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint
from edge_asr.model.config import EncoderConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr.source_identity import git_commit
from edge_asr_export.eager import EagerBackend
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.lower import build_program
from edge_asr_export.quantize import quantize
from edge_asr_export.structure import check_structure
from edge_asr_export.verify import verify_fp32, verify_text


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
    factorized = reference.encoder.config.factorized
    check_structure(inspect_pte(path), precision, linears_of_lower_layers(reference.encoder) if factorized else None)
    checks: dict[str, float | str] = {"structure": "a branch for each stack, delegated; nothing heavy outside"}
    if factorized:
        checks["labels"] = "only inside the branch"
    return checks | (verify_fp32 if precision == "fp32" else verify_text)(path, reference)


def linears_of_lower_layers(encoder: GatedEncoder) -> Counter[tuple[int, int]]:
    """Inputs and outputs of the linears that run on every frame, the head's left out -> how many have them."""
    modules = [*encoder.subsampling.modules(), *encoder.lower.stack.modules()]
    return Counter((layer.in_features, layer.out_features) for layer in modules if isinstance(layer, nn.Linear))


def with_chunk(checkpoint: Checkpoint, chunk_ms: int | None) -> Checkpoint:
    """The same weights at another chunk length. Raises EdgeAsrError where it does not fit the frames or the context."""
    config = checkpoint.model.config
    if chunk_ms is None:
        return checkpoint
    frames, rest = divmod(chunk_ms, config.frame_ms)
    try:
        if rest or not frames:
            raise ValueError(f"a chunk is a whole number of frames of {config.frame_ms:g} ms")
        changed = dataclasses.replace(config, chunk_frames=int(frames))
        changed.validate()
    except ValueError as error:
        raise EdgeAsrError(f"--chunk-ms {chunk_ms}: {error}; try {', '.join(possible_chunks_ms(config))}") from None
    model = GatedEncoder(changed).eval()
    model.load_state_dict(checkpoint.model.state_dict())
    return dataclasses.replace(checkpoint, model=model)


def possible_chunks_ms(config: EncoderConfig) -> list[str]:
    """Chunk lengths that a model's left context and convolutions allow."""
    longest_tail = max(config.lower.conv_tail, config.upper.conv_tail)
    fits = [n for n in range(longest_tail, config.left_context_frames + 1) if config.left_context_frames % n == 0]
    return [f"{n * config.frame_ms:g}" for n in fits]


def describe(checkpoint: Checkpoint, path: Path, precision: str) -> Metadata:
    """The metadata that travels in the file."""
    config = checkpoint.model.config
    identity = {"checkpoint_sha256": file_sha256(path)}
    versions = {name: importlib.metadata.version(name) for name in ("executorch", "torch", "torchao")}
    return Metadata(
        contract_version=CONTRACT_VERSION,
        sample_rate_hz=config.front_end.sample_rate_hz,
        chunk_samples=config.chunk_frames * config.frame_samples,
        chunk_frames=config.chunk_frames,
        frame_samples=config.frame_samples,
        blank_id=config.blank_id,
        pieces=checkpoint.tokens.pieces,
        default_threshold=checkpoint.default_threshold,
        precision=precision,
        lower_layers=config.lower.layers,
        upper_layers=config.upper.layers,
        training=checkpoint.training | identity,
        exporter={"edge_asr": __version__, "git_commit": git_commit()} | versions,
    )
