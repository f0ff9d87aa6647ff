"""An adopted encoder is trained by the trainer as any other: its new parts first, then all of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_asr.adoption.vocabulary import letters
from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.wav2vec2 import Wav2Vec2Encoder
from edge_asr.tokens import Tokens
from edge_asr.training.config import RunConfig
from edge_asr.training.loop import Trainer
from tests.families import wav2vec2
from tests.training.conftest import run_config

NEW = ("lower.head", "lower.norm", "lower.condition", "upper.head")


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `edge-asr adopt` would write of a small Wav2Vec2 without a head."""
    vocabulary = letters()
    drawn = wav2vec2(layer_normed=False, norm_first=False)
    assert isinstance(drawn, Wav2Vec2Encoder)
    torch.manual_seed(0)
    model = Wav2Vec2Encoder(dataclasses.replace(drawn.config, vocabulary=len(vocabulary.pieces))).eval()
    new = [name for name, _ in model.named_parameters() if name.startswith(NEW)]
    path = tmp_path_factory.mktemp("adopted") / "start.safetensors"
    tokens = Tokens(vocabulary.pieces, vocabulary.blank_id)
    save_checkpoint(path, Checkpoint(model, tokens, 1.0, {"new_parameters": json.dumps(new)}))
    return path


def adopted_config(start: Path, model: dict[str, Any] | None = None, **training: Any) -> RunConfig:
    values = {"start_checkpoint": str(start), "flat_start_steps": 0, "spec_augment_from_step": 10_000} | training
    return dataclasses.replace(run_config(**values), model=model or {})


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trainer.model.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> dict[str, float]:
    """Mean change of what has changed."""
    moved = {name: float((after[name] - value).abs().mean()) for name, value in before.items()}
    return {name: value for name, value in moved.items() if value > 0}


def test_what_is_new_is_trained_first_and_then_all_at_its_own_rate(tones: Path, tmp_path: Path, adopted: Path) -> None:
    config = adopted_config(adopted, heads_first_steps=3, body_rate=0.01, warmup_steps=1, gate_from_step=0)
    trainer = Trainer(config, tones, tmp_path)
    batches = trainer.batches()
    before = weights(trainer)
    for _ in range(3):
        trainer.step(next(batches))
    heads_only = weights(trainer)
    moved = changed(before, heads_only)
    assert moved
    assert all(name.startswith(NEW) for name in moved)
    trainer.step(next(batches))
    moved = changed(heads_only, weights(trainer))
    body = [value for name, value in moved.items() if not name.startswith(NEW)]
    assert body
    heads = [value for name, value in moved.items() if name.startswith(NEW)]
    assert max(body) < 0.05 * min(heads)  # Adam's steps are of the size of the rate


def test_its_pieces_and_dimensions_are_its_own_but_for_what_the_run_changes(
    tones: Path, tmp_path: Path, adopted: Path
) -> None:
    start = load_checkpoint(adopted)
    trainer = Trainer(adopted_config(adopted, {"chunk_frames": 4, "dropout": 0.1}), tones, tmp_path)
    assert trainer.tokens == start.tokens
    assert trainer.model.spec.chunk_frames == 4
    assert trainer.model.to_dict() == start.model.to_dict() | {"chunk_frames": 4, "dropout": 0.1}
    assert not changed({name: value.detach() for name, value in start.model.named_parameters()}, weights(trainer))
    assert [trainer.tokens.to_text(example.ids) for example in trainer.examples] == [e.text for e in trainer.examples]
    assert not (tmp_path / "tokens.model").exists()


@pytest.mark.slow
def test_it_learns_and_ends_as_a_checkpoint_of_its_family(tones: Path, tmp_path: Path, adopted: Path) -> None:
    config = adopted_config(adopted, steps=200, evaluate_every=200, gate_from_step=200, heads_first_steps=10)
    trainer = Trainer(config, tones, tmp_path)
    trainer.train()
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [entry["losses"]["final"] for entry in entries if "losses" in entry]
    assert losses[-1] < 0.8 * losses[0]
    finished = load_checkpoint(tmp_path / "model.safetensors")
    assert finished.model.architecture == "wav2vec2"
    assert finished.tokens == load_checkpoint(adopted).tokens
    assert "new_parameters" not in finished.training


@pytest.mark.parametrize(
    ("model", "training", "warp", "told"),
    [
        ({}, {"flat_start_steps": 5}, 0.0, "set flat_start_steps = 0"),
        ({}, {}, 0.1, "set warp = 0"),
        ({"cut": 9}, {}, 0.0, "a cut after layer 9 leaves nothing on one side"),
        ({"cut": 1}, {}, 0.0, "does not make a model"),
        ({"wings": 2}, {}, 0.0, "wings"),
        ({"chunk_frames": 12}, {}, 0.0, "chunk_frames 12 does not divide 32"),
    ],
)
def test_what_does_not_go_with_it_is_told(
    tones: Path, tmp_path: Path, adopted: Path, model: dict[str, Any], training: dict[str, Any], warp: float, told: str
) -> None:
    config = adopted_config(adopted, model, **training)
    config = dataclasses.replace(config, augmentation=dataclasses.replace(config.augmentation, warp=warp))
    with pytest.raises(EdgeAsrError, match=told):
        Trainer(config, tones, tmp_path)


def test_a_run_without_development_utterances_is_refused_at_once(tones: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match="dev_manifest must be one of the manifests"):
        Trainer(run_config(dev_manifest="other.jsonl"), tones, tmp_path)
