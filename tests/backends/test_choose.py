"""Which runtime opens a file."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_asr.backends import choose, executorch_python
from edge_asr.backends.protocol import Backend
from edge_asr.contract import sealed
from edge_asr.errors import EdgeAsrError


@dataclass
class FakeRuntime:
    NAME: str
    PREFERENCE: int
    reason: str | None = None
    loads: list[tuple[Path, int]] = field(default_factory=list)

    def missing(self) -> str | None:
        return self.reason

    def load(self, path: Path, threads: int) -> Backend:
        self.loads.append((path, threads))
        return object()  # type: ignore[return-value]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.pte"
    path.write_bytes(sealed(struct.pack("<I4s4sIQQQ", 32, b"ET12", b"eh00", 32, 40, 0, 0)))
    return path


def install(monkeypatch: pytest.MonkeyPatch, *runtimes: FakeRuntime) -> None:
    monkeypatch.setattr(choose, "runtimes", lambda: {runtime.NAME: runtime for runtime in runtimes})


def test_executorch_python_is_found_in_the_folder() -> None:
    assert choose.runtimes()["executorch-python"] is executorch_python


def test_the_preferred_runtime_comes_first() -> None:
    preferences = [runtime.PREFERENCE for runtime in choose.runtimes().values()]
    assert preferences == sorted(preferences, reverse=True)


def test_the_first_runtime_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    absent, present = FakeRuntime("native", 1, "build it"), FakeRuntime("python", 0)
    install(monkeypatch, absent, present)
    choose.open_backend(str(model), threads=3)
    assert (absent.loads, present.loads) == ([], [(model, 3)])


def test_the_named_runtime_is_taken(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    first, second = FakeRuntime("native", 1), FakeRuntime("python", 0)
    install(monkeypatch, first, second)
    choose.open_backend(model, name="python")
    assert (first.loads, second.loads) == ([], [(model, 1)])


def test_an_unknown_name_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    install(monkeypatch, FakeRuntime("native", 1), FakeRuntime("python", 0))
    with pytest.raises(EdgeAsrError, match="no backend is named 'gpu': choose among native, python"):
        choose.open_backend(model, name="gpu")


def test_where_none_is_installed_each_says_what_it_misses(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    install(monkeypatch, FakeRuntime("native", 1, "build it"), FakeRuntime("python", 0, "pip install torch"))
    with pytest.raises(EdgeAsrError, match=r"native: build it; python: pip install torch"):
        choose.open_backend(model)


def test_a_named_runtime_that_is_missing_is_not_replaced(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    install(monkeypatch, FakeRuntime("native", 1, "build it"), FakeRuntime("python", 0))
    with pytest.raises(EdgeAsrError, match="native: build it"):
        choose.open_backend(model, name="native")


def test_threads_below_one_are_refused(model: Path) -> None:
    with pytest.raises(EdgeAsrError, match="threads must be 1 or more"):
        choose.open_backend(model, threads=0)
