"""A pretrained encoder, cut in two: what fits is copied, what is missing is new."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edge_asr.adoption.source import Source, read_source
from edge_asr.adoption.vocabulary import Vocabulary, letters, of_sentencepiece, of_source
from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import Checkpoint
from edge_asr.model.cost import Cost, cost_of
from edge_asr.model.gated import GatedCtc
from edge_asr.model.registry import family_of_source
from edge_asr.tokens import Tokens

TYPICAL_KEPT = 0.3  # share of frames that a trained gate keeps of read speech


@dataclass(frozen=True)
class Adoption:
    """What `adopt` has made."""

    checkpoint: Checkpoint  # the threshold is that of never skipping: the gate knows nothing yet
    model_type: str  # as the source calls its architecture
    cost: Cost  # of the two sides of the cut
    copied: int  # tensors of the source that were taken
    left: tuple[str, ...]  # tensors of the source that have no place here, such as a decoder's
    new: tuple[str, ...]  # parameters that the source does not have

    def to_dict(self) -> dict[str, Any]:
        spec = self.checkpoint.model.spec
        return {
            "architecture": self.checkpoint.model.architecture,
            "model_type": self.model_type,
            "frame_ms": spec.frame_ms,
            "chunk_ms": spec.chunk_frames * spec.frame_ms,
            "vocabulary": spec.vocabulary,
            "cut": spec.lower_layers,
            **asdict(self.cost),
            "copied_tensors": self.copied,
            "left_tensors": list(self.left),
            "new_parameters": list(self.new),
            "expected_speed_up": {"kept": TYPICAL_KEPT, "times": round(self.cost.speed_up(TYPICAL_KEPT), 3)},
        }


def adopt(name: str, cut: int, pieces: Path | None = None) -> Adoption:
    """`name` is a folder or a name on the Hub. Raises EdgeAsrError as `read_source` and `adopt_source` do."""
    return adopt_source(read_source(name), name, cut, pieces)


def adopt_source(source: Source, name: str, cut: int, pieces: Path | None = None) -> Adoption:
    """`name` is what errors call it; `cut` layers run always; `pieces`, a sentencepiece model, is what a head stands
    for that the source does not have (without it, letters).

    Raises EdgeAsrError where the source is of no known family, and where cut or pieces do not fit.
    """
    family = known_family(name, source)
    try:
        outputs = family.outputs_of_source(source.config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EdgeAsrError(f"{name}: its config.json does not say what its outputs are ({error})") from None
    if outputs is not None and pieces is not None:
        raise EdgeAsrError(f"{name}: it has a CTC head with pieces of its own: leave out --pieces and --learn-pieces")
    vocabulary = of_source(source.folder, source.config, outputs) if outputs else new_vocabulary(pieces)
    weights = Watched(source.weights)
    try:
        model, new = family.adopt(
            source.config, weights, cut=cut, vocabulary=len(vocabulary.pieces), blank_id=vocabulary.blank_id
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise EdgeAsrError(f"{name}: cannot be adopted ({reason_of(error)})") from None
    if outputs is not None and any(parameter.startswith("upper.head") for parameter in new):
        raise EdgeAsrError(f"{name}: its config.json names a CTC head that its weights do not hold: fetch it again")
    try:
        return described(model.eval(), source, vocabulary, new, weights.left())
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise EdgeAsrError(f"{name}: its dimensions do not make an encoder that runs ({reason_of(error)})") from None


class Watched(Mapping[str, Tensor]):
    """Weights that know which of them were taken."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights
        self._taken: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        value = self._weights[name]
        self._taken.add(name)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._weights

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def left(self) -> tuple[str, ...]:
        return tuple(name for name in self._weights if name not in self._taken)


def reason_of(error: Exception) -> str:
    """Why a family does not take a source, in a line."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    line = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
    of_another_kind = isinstance(error, TypeError | AttributeError | ArithmeticError)
    return f"a value of its config.json is of another kind than expected: {line}" if of_another_kind else line


def known_family(name: str, source: Source) -> type[GatedCtc]:
    try:
        return family_of_source(source.model_type)
    except ValueError as error:
        raise EdgeAsrError(f"{name}: {error}") from None


def new_vocabulary(pieces: Path | None) -> Vocabulary:
    return of_sentencepiece(pieces) if pieces is not None else letters()


def described(
    model: GatedCtc, source: Source, vocabulary: Vocabulary, new: Sequence[str], left: tuple[str, ...]
) -> Adoption:
    origin = {"adopted_from": source.model_type, "new_parameters": json.dumps(list(new))}
    tokens = Tokens(vocabulary.pieces, vocabulary.blank_id)
    checkpoint = Checkpoint(model, tokens, NEVER_SKIP, origin, vocabulary.tokenizer)
    return Adoption(
        checkpoint=checkpoint,
        model_type=source.model_type,
        cost=cost_of(model),
        copied=len(source.weights) - len(left),
        left=left,
        new=tuple(new),
    )
