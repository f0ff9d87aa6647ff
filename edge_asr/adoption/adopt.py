"""A pretrained encoder, cut in two: what fits is copied, what is missing is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edge_asr.adoption.source import Source, read_source
from edge_asr.adoption.vocabulary import Vocabulary, letters, of_sentencepiece, of_source
from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import Checkpoint
from edge_asr.model.gated import GatedCtc
from edge_asr.model.registry import family_of_source
from edge_asr.model.streams import lower_example, upper_example
from edge_asr.tokens import Tokens

TYPICAL_KEPT = 0.3  # share of frames that a trained gate keeps of read speech


@dataclass(frozen=True)
class Part:
    """One side of the cut."""

    layers: int
    parameters: int
    mmac_s: float  # millions of multiply-accumulates for a second of audio, where every frame runs through it


@dataclass(frozen=True)
class Adoption:
    """What `adopt` has made."""

    checkpoint: Checkpoint  # the threshold is that of never skipping: the gate knows nothing yet
    model_type: str  # as the source calls its architecture
    lower: Part  # runs on every frame; its Fourier transform, where it has one, is not counted
    upper: Part  # runs on kept frames
    copied: int  # tensors of the source that were taken
    new: tuple[str, ...]  # parameters that the source does not have

    @property
    def speed_up(self) -> float:
        """By arithmetic alone, where TYPICAL_KEPT of the frames are kept."""
        return (self.lower.mmac_s + self.upper.mmac_s) / (self.lower.mmac_s + TYPICAL_KEPT * self.upper.mmac_s)

    def to_dict(self) -> dict[str, Any]:
        spec = self.checkpoint.model.spec
        return {
            "architecture": self.checkpoint.model.architecture,
            "model_type": self.model_type,
            "frame_ms": spec.frame_ms,
            "chunk_ms": spec.chunk_frames * spec.frame_ms,
            "vocabulary": spec.vocabulary,
            "lower": asdict(self.lower),
            "upper": asdict(self.upper),
            "copied_tensors": self.copied,
            "new_parameters": list(self.new),
            "expected_speed_up": {"kept": TYPICAL_KEPT, "times": round(self.speed_up, 3)},
        }


def adopt(name: str, cut: int, pieces: Path | None = None) -> Adoption:
    """`name` is a folder or a name on the Hub; `cut` layers run always; `pieces`, a sentencepiece model, is what a head
    stands for that the source does not have (without it, letters).

    Raises EdgeAsrError where the source cannot be read or is of no known family, and where cut or pieces do not fit.
    """
    source = read_source(name)
    family = known_family(name, source)
    try:
        outputs = family.outputs_of_source(source.config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EdgeAsrError(f"{name}: its config.json does not say what its outputs are ({error})") from None
    if outputs is not None and pieces is not None:
        raise EdgeAsrError(f"{name}: it has a CTC head with pieces of its own: leave out --pieces")
    vocabulary = of_source(source.folder, source.config, outputs) if outputs else new_vocabulary(pieces)
    try:
        model, new = family.adopt(
            source.config, source.weights, cut=cut, vocabulary=len(vocabulary.pieces), blank_id=vocabulary.blank_id
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error).splitlines()[-1].strip()
        raise EdgeAsrError(f"{name}: cannot be adopted ({reason})") from None
    return described(model.eval(), source, vocabulary, new)


def known_family(name: str, source: Source) -> type[GatedCtc]:
    try:
        return family_of_source(source.model_type)
    except ValueError as error:
        raise EdgeAsrError(f"{name}: {error}") from None


def new_vocabulary(pieces: Path | None) -> Vocabulary:
    return of_sentencepiece(pieces) if pieces is not None else letters()


def described(model: GatedCtc, source: Source, vocabulary: Vocabulary, new: Sequence[str]) -> Adoption:
    origin = {"adopted_from": source.model_type, "new_parameters": json.dumps(list(new))}
    tokens = Tokens(vocabulary.pieces, vocabulary.blank_id)
    checkpoint = Checkpoint(model, tokens, NEVER_SKIP, origin, vocabulary.tokenizer)
    spec = model.spec
    lower_input, upper_input = lower_example(model), upper_example(model)
    frames_s = spec.sample_rate_hz / spec.frame_samples
    upper = model.streamed_upper()
    lower_mmac = mmac(model.streamed_lower(), lower_input) / spec.chunk_frames * frames_s
    upper_mmac = mmac(upper, upper_input) / upper_input[0].shape[1] * frames_s
    above, all_of_it = (sum(parameter.numel() for parameter in part.parameters()) for part in (upper, model))
    return Adoption(
        checkpoint=checkpoint,
        model_type=source.model_type,
        lower=Part(spec.lower_layers, all_of_it - above, lower_mmac),
        upper=Part(spec.upper_layers, above, upper_mmac),
        copied=len(model.state_dict()) - len(new),
        new=tuple(new),
    )


def mmac(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    """Millions of multiply-accumulates of one call: of matrix products and convolutions, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return float(counter.get_total_flops()) / 2e6
