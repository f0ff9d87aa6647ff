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
from tests.outcome import Run
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


def test_a_teacher_hears_the_whole_utterance_and_draws_the_student_to_it(
    tones: Path, tmp_path: Path, adopted: Path
) -> None:
    teacher = tmp_path / "teacher.safetensors"
    start = load_checkpoint(adopted)
    torch.nn.init.normal_(start.model.upper.head.weight, std=0.5)  # type: ignore[union-attr]
    save_checkpoint(teacher, start)
    config = adopted_config(
        adopted, teacher_checkpoint=str(teacher), teacher_weight=1.0, final_weight=0.0, intermediate_weight=0.0,
        distillation_weight=0.0, gate_from_step=1_000, warmup_steps=1, chunk_frames=(4,),
    )  # fmt: skip
    trainer = Trainer(config, tones, tmp_path)
    batch = next(trainer.batches())
    assert trainer.teacher is not None
    taught = trainer.teacher.final(batch)
    whole = batch.samples.shape[1] // trainer.model.spec.frame_samples
    with torch.no_grad():
        features = start.model.features(batch.samples, batch.frames, whole)
        own = start.model(features, batch.frames, torch.ones(len(batch.frames)), whole, gate=False).final
    real = torch.arange(whole) < batch.frames[:, None]
    assert (taught - own)[real].abs().max() < 0.1  # bf16
    losses = [trainer.step(batch)["teacher"] for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_teacher_of_other_pieces_is_refused(tones: Path, tmp_path: Path, adopted: Path) -> None:
    checkpoint = load_checkpoint(adopted)
    other = dataclasses.replace(checkpoint, tokens=Tokens((*checkpoint.tokens.pieces[:-1], "!"), 0))
    save_checkpoint(tmp_path / "other.safetensors", other)
    config = adopted_config(adopted, teacher_checkpoint=str(tmp_path / "other.safetensors"), teacher_weight=0.5)
    with pytest.raises(EdgeAsrError, match="its pieces are not those"):
        Trainer(config, tones, tmp_path / "run")


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


def test_starts_that_are_cut_differently_are_trained_and_compared_in_one_run(
    run: Run, tones: Path, tmp_path: Path, adopted: Path
) -> None:
    start = load_checkpoint(adopted)
    starts = []
    for cut in (1, 3):
        torch.manual_seed(0)
        model = Wav2Vec2Encoder(dataclasses.replace(start.model.config, cut=cut)).eval()  # type: ignore[arg-type]
        starts.append(tmp_path / f"cut-{cut}.safetensors")
        save_checkpoint(starts[-1], dataclasses.replace(start, model=model))
    config = tmp_path / "short.toml"
    config.write_text(
        'like = "adopted.toml"\n[training]\nmanifests = ["tones.jsonl"]\ndev_manifest = "tones.jsonl"\n'
        "dev_utterances = 4\nbatch_s = 12.0\nsteps = 2\nchunk_frames = [8]\ndev_speeds = [1.0]\n"
    )
    line = ("train", "--data", tones, "--config", config, "--run-dir", tmp_path / "runs", "--threads", 1, "--json")
    one, other = run(*line, "--start", starts[0], "--start", starts[1]).json["runs"]
    assert [(r["lower_layers"], r["layers"]) for r in (one, other)] == [(1, 4), (3, 4)]
    for report, name in ((one, "cut-1"), (other, "cut-3")):
        assert report["checkpoint"] == str(tmp_path / "runs" / name / "model.safetensors")
        assert load_checkpoint(Path(report["checkpoint"])).model.spec.lower_layers == report["lower_layers"]
        assert {"wer", "wer_off", "wer_intermediate", "kept"} <= report.keys()
        assert report["speed_up"] >= 1
    (tmp_path / "same").mkdir()
    twin = tmp_path / "same" / "cut-1.safetensors"
    run(*line, "--start", starts[0], "--start", twin).assert_fails("cut-1.safetensors: no such checkpoint")
    twin.write_bytes(starts[0].read_bytes())
    assert "rename one" in run(*line, "--start", starts[0], "--start", twin).err


def test_a_folder_with_a_run_of_another_alphabet_is_left_alone(tones: Path, tmp_path: Path, adopted: Path) -> None:
    trainer = Trainer(adopted_config(adopted, steps=1, evaluate_every=1), tones, tmp_path / "run")
    trainer.train()
    start = load_checkpoint(adopted)
    pieces = start.tokens.pieces
    other = dataclasses.replace(start, tokens=Tokens((pieces[0], *reversed(pieces[1:])), 0))
    save_checkpoint(tmp_path / "other.safetensors", other)
    with pytest.raises(EdgeAsrError, match="of a run of another model, start or alphabet"):
        Trainer(adopted_config(tmp_path / "other.safetensors", steps=1), tones, tmp_path / "run")
    (tmp_path / "run" / "state.pt").write_bytes(b"no state")
    with pytest.raises(EdgeAsrError, match=r"state\.pt: damaged"):
        Trainer(adopted_config(adopted, steps=1), tones, tmp_path / "run")


def test_texts_of_another_case_are_scored_in_that_of_the_pieces(tones: Path, tmp_path: Path, adopted: Path) -> None:
    lower = tmp_path / "lower.jsonl"
    entries = [json.loads(line) for line in (tones / "tones.jsonl").read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        entry |= {"text": entry["text"].lower(), "audio_filepath": str(tones / entry["audio_filepath"])}
    lower.write_text("\n".join(map(json.dumps, entries)), encoding="utf-8")
    config = adopted_config(adopted, manifests=(str(lower),), dev_manifest=str(lower))
    trainer = Trainer(config, tones, tmp_path / "run")
    assert {word for example in trainer.dev for word in example.text.split()} <= {"LOW", "MID", "TOP"}


def test_a_run_without_development_utterances_is_refused_at_once(tones: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match="dev_manifest must be one of the manifests"):
        Trainer(run_config(dev_manifest="other.jsonl"), tones, tmp_path)
