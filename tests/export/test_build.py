"""A file gets its name only once it has been verified."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.model.encoder import GatedEncoder
from edge_asr_export import build as building
from edge_asr_export.eager import EagerBackend
from tests.export.conftest import CONFIG, describe


@pytest.fixture
def unlowered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporting is instant, and writes bytes that are no program."""
    monkeypatch.setattr(building, "build_program", lambda encoder, metadata, progress: b"no program")


def fail(error: BaseException) -> object:
    def check(*arguments: object) -> None:
        raise error

    return check


@pytest.mark.usefixtures("unlowered")
@pytest.mark.parametrize("error", [EdgeAsrError("wrong structure"), KeyboardInterrupt(), OSError(28, "no space left")])
def test_a_failed_check_leaves_no_file_behind(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(building, "verify", fail(error))
    with pytest.raises(type(error)):
        building.build(tiny_checkpoint, tmp_path / "model.pte")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("unlowered")
def test_a_failed_check_leaves_the_file_that_was_there(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Here the real checks fail: what was written is no program."""
    output = tmp_path / "model.pte"
    output.write_bytes(b"an earlier model")
    with pytest.raises(EdgeAsrError):
        building.build(tiny_checkpoint, output)
    assert output.read_bytes() == b"an earlier model"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("factorized", [False, True])
def test_labels_are_sought_outside_the_branch_of_factorized_models_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factorized: bool
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(building, "inspect_pte", lambda path: {})
    monkeypatch.setattr(building, "check_structure", lambda report, precision, layers: seen.append(layers))
    monkeypatch.setattr(building, "verify_fp32", lambda path, reference: {"difference": 0.0})
    encoder = GatedEncoder(dataclasses.replace(CONFIG, factorized=factorized))
    checks = building.verify(tmp_path, EagerBackend(encoder, describe(CONFIG, "fp32")), "fp32")
    assert seen == [encoder.always_run() if factorized else None]
    assert ("labels" in checks) == factorized
    assert "difference" in checks


@pytest.mark.parametrize("chunk_ms", [320, 1_280])
def test_another_chunk_keeps_the_weights(tiny_checkpoint: Path, chunk_ms: int) -> None:
    original = building.load_checkpoint(tiny_checkpoint)
    changed = building.with_chunk(original, chunk_ms)
    assert changed.model.spec.chunk_frames * changed.model.spec.frame_ms == chunk_ms
    before, after = original.model.state_dict(), changed.model.state_dict()
    assert all(before[name].equal(after[name]) for name in before)


@pytest.mark.parametrize("chunk_ms", [30, 1_000, 2_560])
def test_a_chunk_that_does_not_fit_is_refused_with_those_that_do(tiny_checkpoint: Path, chunk_ms: int) -> None:
    with pytest.raises(EdgeAsrError, match="640"):
        building.with_chunk(building.load_checkpoint(tiny_checkpoint), chunk_ms)
