"""The app's adapter to ExecuTorch's Android classes, over a desktop stand-in of these with extension::Module behind it:
what goes in and comes out, copied before the next call, and what the app is told when something is wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edge_asr.audio import read_audio
from edge_asr.recognizer import Recognizer
from tests.android import toolchain
from tests.android.test_engine_parity import Engine, engine  # noqa: F401 (a fixture)
from tests.backends import conftest as toy

SOURCES = Path(__file__).parent / "adapter"
THRESHOLDS = (0.7, 1.0, 0.7)
pytestmark = pytest.mark.slow


class Adapter:
    """The compiled adapter."""

    def __init__(self, engine: Engine, folder: Path) -> None:  # noqa: F811
        self._library = engine.library
        self._jars = [folder / "adapter.jar", *engine.jars]
        toolchain.compile_kotlin([SOURCES], engine.jars, self._jars[0], jdk=True)

    def run(self, *arguments: object, library: Path | None = None) -> list[dict[str, Any]]:
        printed = toolchain.run_java(
            "org.edge_asr.adapter.AdapterKt",
            self._jars,
            *map(str, arguments),
            properties={"edge_asr.jni": str(library or self._library)},
        )
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def adapter(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Adapter:  # noqa: F811
    return Adapter(engine, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def toy_pte(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.export_toy(tmp_path_factory.mktemp("toy") / "toy.pte", toy.TOY.to_json())


def test_every_stream_of_a_program_hears_what_python_hears(
    adapter: Adapter, shipped_pte: Path, an4_test: Path, tmp_path: Path
) -> None:
    recording = read_audio(an4_test.parent / "test" / "fcaw-cen5-fcaw-b.flac")
    (tmp_path / "pcm").write_bytes(recording.tobytes())
    heard = adapter.run("hear", shipped_pte, tmp_path / "pcm", *THRESHOLDS)
    assert heard[0] != heard[1]
    for line, threshold in zip(heard, THRESHOLDS, strict=True):
        with Recognizer.open(shipped_pte) as recognizer, recognizer.stream(threshold) as stream:
            steps = stream.accept(recording).new_steps
            result = stream.finish()
        keep = "".join("1" if kept else "0" for step in (*steps, *result.new_steps) for kept in step.keep)
        assert line == {"text": result.text, "keep": keep}
        assert result.text


def test_each_trouble_is_one_line_that_says_what_to_do_and_leaves_no_module_open(
    adapter: Adapter, toy_pte: Path, tmp_path: Path
) -> None:
    small = toy.export_toy(tmp_path / "small.pte", toy.TOY.to_json(), step=toy.OneChunkStep)
    longer = dataclasses.replace(toy.TOY, frame_samples=2 * toy.FRAME_SAMPLES, chunk_samples=2 * toy.TOY.chunk_samples)
    lying = toy.export_toy(tmp_path / "lying.pte", longer.to_json())
    foreign = toy.export_toy(tmp_path / "foreign.pte", toy.TOY.to_json(), method="forward")
    *lines, after = adapter.run("open", toy_pte, foreign, small, lying, toy_pte)
    assert [line["told"] for line in lines] == [
        "nothing",
        "not a model made by edge-asr (it lacks its methods): export one with edge-asr",
        "the model does not follow its contract (other outputs): export it again",
        "the runtime cannot run the model ([ExecuTorch Error 0x10] Operation not supported: "
        "Execution failed for method: step): export it again",
        "nothing",
    ]
    assert after == {"open": 0}


def test_a_phone_that_the_runtime_is_not_for_is_told(adapter: Adapter, toy_pte: Path, tmp_path: Path) -> None:
    (line,) = adapter.run("told", toy_pte, library=tmp_path / "none.so")
    assert line["told"].startswith("the runtime does not start on this phone (Can't load library: ")
    assert line["told"].endswith("none.so): it needs a 64-bit one")


def test_the_stand_in_does_what_a_phones_module_does(adapter: Adapter, toy_pte: Path) -> None:
    (told,) = adapter.run("module", toy_pte)
    assert told.pop("methods") == ["metadata", "step"]
    # an output is memory of the method: a call later it holds that call's, whatever the load mode
    assert told.pop("equal before and after the next call") == [[False, True]] * 4
    # one frame, resolved at once, and first of its stream
    assert told.pop("index of a call on ones") == [0] + [-1] * (toy.TOY.block_frames - 1)
    assert told == {
        "missing": "[ExecuTorch Error 0x12] Invalid argument: Execution failed for method: forward",
        "missing on ones": "[ExecuTorch Error 0x12] Invalid argument: Cannot get method names [Native Error: 0x12]",
        "missing when loaded": "[ExecuTorch Error 0x12] Invalid argument: Failed to load method: forward",
        "closed": "Module has been destroyed",
    }
