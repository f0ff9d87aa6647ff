"""A device has no torch: edge-asr is installed without extras, and recognizes real speech with the native runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asr.demo import RECORDING, TEXT
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from edge_asr.native.library import LIBRARY_VARIABLE
from edge_asr.recognizer import Recognizer
from tests.checkout import clean_environment, copy_sources

pytestmark = pytest.mark.slow

UTTERANCES = 40


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with edge-asr and nothing that it does not ask for."""
    folder = tmp_path_factory.mktemp("device")
    sources = copy_sources(folder / "sources")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", sources], check=True, env=clean_environment()
    )
    return programs


def edge_asr(device: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(PATH=f"{device}{os.pathsep}{os.environ['PATH']}", **variables)
    line = [device / "edge-asr", *arguments]
    return subprocess.run(
        [str(part) for part in line], capture_output=True, text=True, env=environment, cwd=device, check=False
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device's own, empty at first."""
    return str(tmp_path_factory.mktemp("cache"))


def test_nothing_of_torch_is_there(device: Path) -> None:
    names = ("torch", "executorch", "torchao", "safetensors", "sentencepiece")
    code = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    done = subprocess.run([device / "python", "-c", code], capture_output=True, text=True, env=clean_environment())
    assert done.stdout.strip() == "[]"


def test_it_hears_what_the_python_runtime_hears(
    device: Path, cache: str, native_build: Build, shipped_pte: Path, data_folder: Path
) -> None:
    """Real utterances, with a library that was built elsewhere."""
    audio = [utterance.audio for utterance in read_manifest(data_folder / "an4" / "test.jsonl")[:UTTERANCES]]
    done = edge_asr(
        device,
        *("transcribe", "--json", "--model", shipped_pte, *audio),
        EDGE_ASR_CACHE=cache,
        **{LIBRARY_VARIABLE: str(native_build.library)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    assert {answer["backend"] for answer in heard} == {"native"}
    with Recognizer.open(shipped_pte, backend="executorch-python") as recognizer:
        expected = [recognizer.transcribe(path) for path in audio]
    assert [answer["text"] for answer in heard] == [result.text for result in expected]
    assert [answer["kept_frames"] for answer in heard] == [result.counters.kept_frames for result in expected]


def test_it_builds_the_runtime_itself_and_measures(device: Path, cache: str, shipped_pte: Path) -> None:
    """ExecuTorch's C++ SDK is fetched, because no ExecuTorch is installed; then everything that recognizes works."""
    before = edge_asr(device, "transcribe", RECORDING, "--model", shipped_pte, EDGE_ASR_CACHE=cache)
    assert before.returncode == 1
    assert "edge-asr native build" in before.stderr
    built = edge_asr(device, "native", "build", "--json", EDGE_ASR_CACHE=cache)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["library"].startswith(cache)
    done = edge_asr(device, "demo", "--json", "--model", shipped_pte, EDGE_ASR_CACHE=cache)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["backend"], answer["recording"]["text"]) == ("native", TEXT)
    bundled = edge_asr(device, "bundle", "-o", f"{cache}/board", "--model", shipped_pte, EDGE_ASR_CACHE=cache)
    assert TEXT in bundled.stdout, bundled.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("export", "-o", "x.pte"), "export"),
        (("inspect", "x.pte"), "export"),
        (("transcribe", RECORDING), "export"),
        (("bundle", "-o", "x"), "export"),
        (("train", "--run-dir", "x", "--data", "."), "train"),
    ],
)
def test_what_needs_torch_says_what_to_install(
    device: Path, tmp_path: Path, arguments: tuple[object, ...], extra: str
) -> None:
    done = edge_asr(device, *arguments, EDGE_ASR_CACHE=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"pip install '.[{extra}]'" in done.stderr
