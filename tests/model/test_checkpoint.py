"""Checkpoints: what is saved comes back, and what is no checkpoint is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.encoder import GatedEncoder
from edge_asr.tokens import BLANK, SENTENCEPIECE, Tokenizer, Tokens

TOKENS = Tokens((BLANK, *(f"▁{letter}" for letter in "ABCDEFGHIJK")), blank_id=0)


@pytest.fixture
def saved(small_encoder: GatedEncoder, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(small_encoder, TOKENS, default_threshold=0.85, training={"step": "7"}))
    return path


def header_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def test_round_trip(saved: Path, small_encoder: GatedEncoder) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.model.config == small_encoder.config
    assert loaded.tokens == TOKENS
    assert loaded.default_threshold == 0.85
    assert loaded.training == {"step": "7"}
    assert not loaded.model.training
    expected = small_encoder.state_dict()
    for name, value in loaded.model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, expected[name].half().float())


def test_a_factorized_model_makes_the_round_trip(factorized_encoder: GatedEncoder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tokens = Tokens((*TOKENS.pieces[1:6], BLANK, *TOKENS.pieces[6:]), blank_id=5)
    save_checkpoint(path, Checkpoint(factorized_encoder, tokens, default_threshold=0.9))
    loaded = load_checkpoint(path)
    assert loaded.model.config == factorized_encoder.config
    assert loaded.model.state_dict().keys() == factorized_encoder.state_dict().keys()


def test_the_tokenizer_travels_with_the_weights(small_encoder: GatedEncoder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tokenizer = Tokenizer(SENTENCEPIECE, bytes(range(256)), first_id=1)
    save_checkpoint(path, Checkpoint(small_encoder, TOKENS, default_threshold=0.9, tokenizer=tokenizer))
    assert load_checkpoint(path).tokenizer == tokenizer


def test_a_learned_gate_makes_the_round_trip(learned_encoder: GatedEncoder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(learned_encoder, TOKENS, default_threshold=0.9))
    loaded = load_checkpoint(path)
    assert loaded.model.config == learned_encoder.config
    assert loaded.model.lower.gate is not None
    assert torch.equal(loaded.model.lower.gate.weight, learned_encoder.lower.gate.weight.half().float())


def test_a_checkpoint_from_before_a_field_was_there_has_its_default(saved: Path, small_encoder: GatedEncoder) -> None:
    header = header_of(saved)
    config = json.loads(header["config"])
    del config["factorized"], config["gate"]["learned"]
    save_file(load_file(saved), saved, metadata=header | {"config": json.dumps(config)})
    assert load_checkpoint(saved).model.config == small_encoder.config


def test_saving_what_was_loaded_changes_no_byte(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save_checkpoint(again, load_checkpoint(saved))
    assert header_of(again) == header_of(saved)
    first, second = load_file(saved), load_file(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_no_partial_file_stays(saved: Path) -> None:
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("content", [b"", b"text, not tensors", bytes(range(256)) * 20])
def test_a_foreign_file_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(EdgeAsrError, match="not a safetensors checkpoint"):
        load_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match=r"absent\.safetensors: no such checkpoint"):
        load_checkpoint(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_no_checkpoint(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EdgeAsrError, match="not a safetensors checkpoint"):
        load_checkpoint(saved)


@pytest.mark.parametrize("header", [None, {"format": "pt"}])
def test_tensors_of_another_maker_are_refused(tmp_path: Path, header: dict[str, str] | None) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata=header)
    with pytest.raises(EdgeAsrError, match="not an edge-asr checkpoint"):
        load_checkpoint(path)


def changed_config(header: dict[str, str], **values: object) -> dict[str, str]:
    return header | {"config": json.dumps(json.loads(header["config"]) | values)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda header: changed_config(header, vocabulary=13), id="vocabulary"),
        pytest.param(lambda header: changed_config(header, chunk_frames=7), id="chunk"),
        pytest.param(lambda header: changed_config(header, colour="red"), id="unknown field"),
        pytest.param(lambda header: changed_config(header, factorized=True), id="other heads"),
        pytest.param(lambda header: header | {"config": "{"}, id="broken config"),
        pytest.param(lambda header: {key: value for key, value in header.items() if key != "config"}, id="no config"),
        pytest.param(
            lambda header: {key: value for key, value in header.items() if key != "pieces"},
            id="no pieces",
        ),
        pytest.param(lambda header: header | {"default_threshold": "high"}, id="threshold"),
        pytest.param(lambda header: header | {"training": "{"}, id="broken training"),
        pytest.param(
            lambda header: header | {"pieces": json.dumps(["<blank>", "▁A"])},
            id="fewer pieces than outputs",
        ),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(saved: Path, change) -> None:  # type: ignore[no-untyped-def]
    save_file(load_file(saved), saved, metadata=change(header_of(saved)))
    with pytest.raises(EdgeAsrError, match="contradicts itself"):
        load_checkpoint(saved)
