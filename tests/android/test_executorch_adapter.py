"""The app's adapter to ExecuTorch's Android classes, over a desktop stand-in of these with the real runtime behind it:
what goes in and comes out, copied before the next call, and what the app is told when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_asr.audio import read_audio
from edge_asr.recognizer import Recognizer
from tests.android import apk, toolchain
from tests.android.test_engine_parity import Engine, engine  # noqa: F401 (a fixture)

SOURCES = Path(__file__).parent / "adapter"
TROUBLES = ("methods", "sizes", "step", "library")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def printed(
    engine: Engine,  # noqa: F811
    shipped_pte: Path,
    an4_test: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:
    work = tmp_path_factory.mktemp("adapter")
    program = apk.MAIN / "kotlin/org/edge_asr/demo/program/ExecutorchProgram.kt"
    toolchain.compile_kotlin([SOURCES, program], engine.jars, work / "adapter.jar", jdk=True)
    (work / "pcm").write_bytes(recording(an4_test).tobytes())
    lines = toolchain.run_java(
        "org.edge_asr.adapter.AdapterKt",
        [work / "adapter.jar", *engine.jars],
        *(str(shipped_pte), str(work / "pcm"), "0.7", *TROUBLES),
        properties={"edge_asr.jni": str(engine.library)},
    )
    return [json.loads(line) for line in lines.splitlines()]


def recording(an4_test: Path) -> Any:
    return read_audio(an4_test.parent / "test" / "fcaw-cen5-fcaw-b.flac")


def test_it_hears_what_python_hears(printed: list[dict[str, Any]], shipped_pte: Path, an4_test: Path) -> None:
    with Recognizer.open(shipped_pte) as recognizer, recognizer.stream(0.7) as stream:
        steps = stream.accept(recording(an4_test)).new_steps
        result = stream.finish()
    keep = "".join("1" if kept else "0" for step in (*steps, *result.new_steps) for kept in step.keep)
    assert printed[0] == {"text": result.text, "keep": keep}
    assert result.text


def test_each_trouble_is_one_line_that_says_what_to_do(printed: list[dict[str, Any]]) -> None:
    told = {line["trouble"]: line["told"] for line in printed[1:]}
    assert tuple(told) == TROUBLES
    assert told["methods"] == "not a model made by edge-asr (it lacks its methods): export one with edge-asr"
    assert told["sizes"] == "the model does not follow its contract (other outputs): export it again"
    assert told["step"].startswith("the runtime cannot run the model ([ExecuTorch Error 0x12] Invalid argument: x): ")
    assert told["library"].startswith("the runtime does not start on this phone (couldn't find libexecutorch.so): ")
    assert not [line for line in told.values() if "\n" in line]


def test_a_model_that_is_refused_is_closed(printed: list[dict[str, Any]]) -> None:
    closed = {line["trouble"]: line["closed"] for line in printed[1:]}
    assert closed["methods"] == 2, "the one that was heard with, and the refused one"
