"""A model on disk: one safetensors file whose header holds the config, the tokens, what cuts text into them, and where
it came from."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from edge_asr.errors import EdgeAsrError
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import GatedCtc
from edge_asr.model.registry import build_encoder
from edge_asr.tokens import TOKENIZERS, Tokenizer, Tokens

FORMAT = "edge-asr checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """Weights with all that is needed to use them."""

    model: GatedCtc  # in eval mode
    tokens: Tokens
    default_threshold: float  # the gate's threshold where the user names none
    training: dict[str, str] = field(default_factory=dict)  # config hash, steps, git commit: identity, not code
    tokenizer: Tokenizer | None = None  # None: texts are cut into the longest pieces that fit


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically, weights as float16: half the size, and far finer than the int8 they are exported to. Raises
    EdgeAsrError where a weight is not finite then, or where the file cannot be written."""
    header = {
        "format": FORMAT,
        "architecture": checkpoint.model.architecture,
        "config": json.dumps(checkpoint.model.to_dict()),
        "pieces": json.dumps(checkpoint.tokens.pieces),
        "default_threshold": repr(checkpoint.default_threshold),
        "training": json.dumps(checkpoint.training),
    } | tokenizer_header(checkpoint.tokenizer)
    weights = {name: value.to(torch.float16).contiguous() for name, value in checkpoint.model.state_dict().items()}
    unfit = next((name for name, value in weights.items() if not value.isfinite().all()), None)
    if unfit:
        raise EdgeAsrError(f"{path}: not written: {unfit} is not finite in half precision: mend the weights")
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(save(weights, metadata=header))  # `save_file` would write it for its owner alone
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise EdgeAsrError(f"{path}: cannot be written ({error})") from None
    finally:
        partial.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises EdgeAsrError where the file is missing, not a checkpoint of ours, or does not fit its own config."""
    if not path.is_file():
        raise EdgeAsrError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise EdgeAsrError(f"{path}: not a safetensors checkpoint ({error})") from None
    if header.get("format") != FORMAT:
        raise EdgeAsrError(f"{path}: not an edge-asr checkpoint (expected format '{FORMAT}')")
    try:
        architecture = header.get("architecture", GatedEncoder.architecture)  # older headers name none
        model = build_encoder(architecture, json.loads(header["config"]))
        model.load_state_dict(weights)
        tokens = Tokens(pieces=tuple(json.loads(header["pieces"])), blank_id=model.spec.blank_id)
        if len(tokens.pieces) != model.spec.vocabulary:
            raise ValueError(f"{len(tokens.pieces)} pieces for a vocabulary of {model.spec.vocabulary}")
        return Checkpoint(
            model=model.eval(),
            tokens=tokens,
            default_threshold=float(header["default_threshold"]),
            training=json.loads(header["training"]),
            tokenizer=tokenizer_of(header),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EdgeAsrError(f"{path}: the checkpoint contradicts itself ({str(error).splitlines()[0]})") from None


def tokenizer_header(tokenizer: Tokenizer | None) -> dict[str, str]:
    """Its entry in the header; none where there is none."""
    if tokenizer is None:
        return {}
    content = base64.b64encode(tokenizer.content).decode("ascii")
    return {"tokenizer": json.dumps({"kind": tokenizer.kind, "first_id": tokenizer.first_id, "base64": content})}


def tokenizer_of(header: dict[str, str]) -> Tokenizer | None:
    """Inverse of `tokenizer_header`. Raises KeyError, TypeError or ValueError where the entry is none."""
    if "tokenizer" not in header:
        return None
    entry = json.loads(header["tokenizer"])
    if entry["kind"] not in TOKENIZERS:
        raise ValueError(f"a tokenizer of the unknown kind '{entry['kind']}'")
    return Tokenizer(entry["kind"], base64.b64decode(entry["base64"], validate=True), int(entry["first_id"]))
