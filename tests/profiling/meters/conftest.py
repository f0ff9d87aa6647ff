"""A made-up device, and meters that do not wait long for one that has gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.profiling.meters import sampled
from tests.profiling.meters.fake_files import FakeFiles


@pytest.fixture
def files(tmp_path: Path) -> FakeFiles:
    return FakeFiles(tmp_path / "device")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "FIRST_SAMPLE_WITHIN_S", 0.05)
    monkeypatch.setattr(sampled, "LAST_SAMPLE_WITHIN_S", 0.05)
