"""What cannot be adopted is told in one line, by the command as users run it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edge_asr.adoption.source import read_source
from edge_asr.errors import EdgeAsrError
from tests.outcome import Run

CONFIG = {"model_type": "moonshine"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Half of a Hugging Face folder: a configuration."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(CONFIG))
    return source


def write_weights(path: Path, **weights: torch.Tensor) -> None:
    save_file(weights, path)


def test_a_folder_is_read(folder: Path) -> None:
    write_weights(folder / "model.safetensors", a=torch.ones(2, dtype=torch.float16))
    source = read_source(str(folder))
    assert source.model_type == "moonshine"
    assert source.weights["a"].dtype == torch.float32


def test_weights_in_several_files_are_read(folder: Path) -> None:
    write_weights(folder / "one.safetensors", a=torch.ones(2))
    write_weights(folder / "two.safetensors", b=torch.zeros(2))
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert sorted(read_source(str(folder)).weights) == ["a", "b"]
    (folder / "two.safetensors").unlink()
    with pytest.raises(EdgeAsrError, match=r"two\.safetensors is missing, which model\.safetensors\.index\.json names"):
        read_source(str(folder))


def test_an_index_that_names_files_elsewhere_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    write_weights(tmp_path / "other.safetensors", a=torch.ones(2))
    index = {"weight_map": {"a": "../other.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    outcome = run("adopt", folder, "--cut", 1, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("names '../other.safetensors', which is no file of its folder")


def test_a_folder_without_weights(run: Run, folder: Path, tmp_path: Path) -> None:
    run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors").assert_fails(
        "no weights in it", "fetch it again"
    )
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    outcome = run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("pytorch_model.bin may run code when it is loaded: save it as safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_an_unknown_model_type(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    write_weights(folder / "model.safetensors", a=torch.ones(2))
    outcome = run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("model_type 'whisper' is not known; known are", "moonshine")


def test_weights_that_are_cut_short(run: Run, folder: Path, tmp_path: Path) -> None:
    path = folder / "model.safetensors"
    write_weights(path, a=torch.ones(1_000))
    path.write_bytes(path.read_bytes()[:-100])
    outcome = run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("model.safetensors: damaged or cut short", "fetch it again")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no config.json in it: not a Hugging Face folder"),
        ("{", "cannot be read as JSON"),
        ("[]", "names no model_type"),
        ("{}", "names no model_type"),
    ],
)
def test_a_folder_without_a_configuration(
    run: Run, folder: Path, tmp_path: Path, content: str | None, told: str
) -> None:
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_text(content)
    run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors").assert_fails(told)


def test_a_name_that_is_no_folder(run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    output = tmp_path / "x.safetensors"
    run("adopt", tmp_path / "gone", "--cut", 2, "-o", output).assert_fails("gone: no such folder")
    run("adopt", folder / "config.json", "--cut", 2, "-o", output).assert_fails("a file, not a Hugging Face folder")
    run("adopt", "someone/something", "--cut", 2, "-o", output).assert_fails("go online, or pass a folder")


def test_an_output_that_is_no_file_or_the_source_s_own_is_left_alone(run: Run, folder: Path, tmp_path: Path) -> None:
    weights = folder / "model.safetensors"
    write_weights(weights, a=torch.ones(2))
    before = weights.read_bytes()
    run("adopt", folder, "--cut", 2, "-o", weights).assert_fails("this is a file of the source: name another")
    assert weights.read_bytes() == before
    (folder / "model.safetensors").rename(tmp_path / "blob")
    weights.symlink_to(tmp_path / "blob")  # as the Hub's cache has it
    for output in (weights, tmp_path / "blob"):
        run("adopt", folder, "--cut", 2, "-o", output).assert_fails("this is a file of the source: name another")
    assert (tmp_path / "blob").read_bytes() == before
    os.mkfifo(tmp_path / "fifo")
    for arguments in (["adopt", folder, "--cut", 2], ["export", "base"]):
        run(*arguments, "-o", tmp_path / "fifo").assert_fails("a pipe or device")
    assert (tmp_path / "fifo").is_fifo()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (torch.tensor([1.0, torch.nan]), "a holds what is not a finite number"),
        (torch.ones(2, 2, dtype=torch.int8), "a is of torch.int8: quantized weights are not taken"),
    ],
)
def test_weights_that_are_no_weights_are_told(
    run: Run, folder: Path, tmp_path: Path, value: torch.Tensor, told: str
) -> None:
    write_weights(folder / "model.safetensors", a=value)
    run("adopt", folder, "--cut", 2, "-o", tmp_path / "x.safetensors").assert_fails("model.safetensors", told)
