"""What a run starts from: nothing, another run's folder, or an adopted checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import sentencepiece

from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import GatedCtc
from edge_asr.model.registry import build_encoder
from edge_asr.tokens import SENTENCEPIECE, Tokenizer, Tokens
from edge_asr.training.config import SHAPE_FRAMES, RunConfig, merged
from edge_asr.training.data import copy_pieces, learn_pieces, tokens_of
from edge_asr.training.spelling import LearntPieces, Spelling, spelling_of


class Start:
    """The encoder, its pieces, and how they write."""

    def __init__(self, config: RunConfig, prefix: Path, start_prefix: Path) -> None:
        """`prefix` is where the run keeps pieces that it has learnt, `start_prefix` where the run that it starts from
        does. Raises EdgeAsrError where an adopted checkpoint cannot be read, or is asked for what it has not."""
        self._config = config
        self._prefix, self._start_prefix = prefix, start_prefix
        path = config.training.start_checkpoint
        self._adopted = load_checkpoint(Path(path)) if path else None
        if self._adopted and config.augmentation.warp and not isinstance(self._adopted.model, GatedEncoder):
            raise EdgeAsrError(f"{path}: has no mel bands to stretch: set warp = 0")
        if self._adopted and config.training.flat_start_steps and not isinstance(self._adopted.model, GatedEncoder):
            raise EdgeAsrError(f"{path}: has no mel bands to find speech by: set flat_start_steps = 0")

    @property
    def new_parameters(self) -> frozenset[str] | None:
        """Of an adopted model, those that its source did not have; None of any other."""
        if self._adopted is None:
            return None
        return frozenset(json.loads(self._adopted.training.get("new_parameters", "[]")))

    def make_pieces(self, texts: Callable[[], Sequence[str]]) -> None:
        """Take the pieces over, or learn them, where the run has none. For one process of the run."""
        if self._adopted is not None:
            return
        if self._config.training.start_from:
            copy_pieces(self._start_prefix, self._prefix)
        elif not self._prefix.with_suffix(".model").is_file():
            learn_pieces(texts(), self._config.training.pieces, self._prefix)

    def writing(self) -> tuple[Tokens, Spelling]:
        """Raises EdgeAsrError where the adopted tokenizer cannot be used."""
        if self._adopted is not None:
            return self._adopted.tokens, spelling_of(self._adopted.tokens, self._adopted.tokenizer)
        processor = sentencepiece.SentencePieceProcessor(model_file=f"{self._prefix}.model")
        return tokens_of(processor), LearntPieces(processor)

    def tokenizer(self) -> Tokenizer | None:
        """What travels with the run's checkpoints, so that the next one writes alike."""
        if self._adopted is not None:
            return self._adopted.tokenizer
        return Tokenizer(SENTENCEPIECE, self._prefix.with_suffix(".model").read_bytes())

    def encoder(self, tokens: Tokens) -> GatedCtc:
        """A new one each time: with drawn weights, or the adopted ones. Raises EdgeAsrError where the configuration's
        [model] does not make one."""
        try:
            encoder = self._built(tokens)
            if SHAPE_FRAMES % encoder.spec.chunk_frames:
                raise ValueError(f"chunk_frames {encoder.spec.chunk_frames} does not divide {SHAPE_FRAMES}")
            return encoder
        except (TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise EdgeAsrError(f"the configuration's [model] does not make a model: {reason}") from None

    def _built(self, tokens: Tokens) -> GatedCtc:
        if self._adopted is None:
            values = {"vocabulary": len(tokens.pieces), **self._config.model}
            return build_encoder(GatedEncoder.architecture, values)
        adopted = self._adopted.model
        encoder = build_encoder(adopted.architecture, merged(adopted.to_dict(), self._config.model))
        encoder.load_state_dict(adopted.state_dict())
        return encoder
