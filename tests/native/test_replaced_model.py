"""A `.pte` that is replaced or overwritten while it is in use: what was checked is what runs, and nothing crashes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_void_p
from pathlib import Path

import numpy as np
import pytest

from edge_asr.backends import choose, native, program_file
from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from tests.requirements import require_tool

HERE = Path(__file__).parent
LIMIT_S = 60


@pytest.fixture
def model(tiny_pte: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_pte, tmp_path / "model.pte"))


@pytest.fixture
def damaged(model: Path, tmp_path: Path) -> Path:
    """A file of the same size and nothing of the program in it."""
    path = tmp_path / "damaged.pte"
    path.write_bytes(bytes(model.stat().st_size))
    return path


def cut(model: Path) -> None:
    """As `cp`, `scp` and an editor begin: the same file, emptied."""
    os.truncate(model, 0)


def overwrite(model: Path) -> None:
    with model.open("r+b") as file:
        file.write(bytes(model.stat().st_size))


SPOIL: dict[str, Callable[[Path], None]] = {"cut": cut, "overwrite": overwrite}
spoilt = pytest.mark.parametrize("spoil", SPOIL)


# --- the runner


@pytest.fixture
def noise() -> bytes:
    """Six seconds of 16-bit samples."""
    return np.random.default_rng(0).normal(0, 3_000, 96_000).astype("<i2").tobytes()


@contextmanager
def listening(build: Build, model: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The runner on raw samples from a pipe."""
    line = [build.runner, "--model", model, "--raw", "s16le", "-"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@spoilt
def test_a_stream_goes_on_where_its_model_is_overwritten(
    native_build: Build, model: Path, noise: bytes, spoil: str
) -> None:
    with listening(native_build, model) as process:
        expected, _ = process.communicate(noise, LIMIT_S)
    assert process.returncode == 0
    assert expected.strip()
    with listening(native_build, model) as process:
        assert process.stdin
        process.stdin.write(noise[: len(noise) // 2])  # more than a pipe holds: it has read some, so it is loaded
        process.stdin.flush()
        SPOIL[spoil](model)
        said, complaint = process.communicate(noise[len(noise) // 2 :], LIMIT_S)
    assert (process.returncode, complaint) == (0, b"")
    assert said == expected


def test_a_file_that_takes_the_name_after_the_check_is_not_the_one_that_is_mapped(
    native_build: Build, model: Path, damaged: Path, beeps: Path, tmp_path: Path
) -> None:
    shim = tmp_path / "swap.so"
    compiler = require_tool("gcc", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", HERE / "swap_after_open.c", "-o", shim, "-ldl"], check=True)
    line = [native_build.runner, "--model", model, beeps]
    expected = subprocess.run(line, capture_output=True, check=True).stdout
    swapping = os.environ | {"LD_PRELOAD": str(shim), "SWAPPED": str(model), "BY": str(damaged)}
    done = subprocess.run(line, capture_output=True, env=swapping, check=False)
    assert not damaged.exists()  # the swap took place
    assert model.read_bytes() == bytes(model.stat().st_size)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == expected


@spoilt
def test_a_second_program_is_not_loaded_from_an_overwritten_file(native_build: Build, model: Path, spoil: str) -> None:
    functions = native.open_library(native_build.library)
    opened, program = c_void_p(), c_void_p()
    native.call(functions.edge_asr_model_open, str(model).encode(), byref(opened))
    try:
        native.call(functions.edge_asr_program_load, opened, byref(program))
        functions.edge_asr_program_close(program)
        SPOIL[spoil](model)
        with pytest.raises(EdgeAsrError, match=r"model\.pte: overwritten while it was in use"):
            native.call(functions.edge_asr_program_load, opened, byref(program))
    finally:
        functions.edge_asr_model_close(opened)


# --- Python's runtimes


@pytest.fixture(params=["native", "executorch-python"])
def backend(request: pytest.FixtureRequest, native_build: Build) -> str:
    return str(request.param)


GOES_ON = """
import sys
from pathlib import Path
import numpy as np
from edge_asr.backends.choose import open_backend

model, backend = Path(sys.argv[1]), sys.argv[2]
loaded = open_backend(model, name=backend)
chunks = np.random.default_rng(1).normal(0, 0.1, (6, loaded.metadata.chunk_samples)).astype(np.float32)


def hear(some):
    return [loaded.step(chunk, loaded.metadata.chunk_frames, 1.0, True).final for chunk in some]


expected = hear(chunks)
loaded.reset()
heard = hear(chunks[:2])
print("loaded", flush=True)
sys.stdin.readline()
heard += hear(chunks[2:])
assert all(np.array_equal(a, b) for a, b in zip(heard, expected, strict=True))
"""


@spoilt
def test_a_loaded_program_goes_on_where_its_file_is_overwritten(model: Path, backend: str, spoil: str) -> None:
    """In a process of its own, which a bus error would end."""
    line = [sys.executable, "-c", GOES_ON, model, backend]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "loaded\n"
        SPOIL[spoil](model)
        process.communicate("go on\n", LIMIT_S)
    assert process.returncode == 0


def test_pythons_runtime_gets_the_bytes_that_were_checked(
    model: Path, damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file takes the name as soon as the checksum has proved right."""
    checksum = zlib.crc32

    def swap(content: bytes, before: int = 0) -> int:
        if damaged.exists():
            damaged.replace(model)
        return checksum(content, before)

    monkeypatch.setattr(program_file.zlib, "crc32", swap)
    loaded = choose.runtimes()["executorch-python"].load(model, 1)
    assert not damaged.exists()
    assert loaded.metadata.pieces[1] == "▁A"
    silence = np.zeros(loaded.metadata.chunk_samples, np.float32)
    assert loaded.step(silence, loaded.metadata.chunk_frames, 1.0, True).index[0] == 0


def test_a_named_pipe_is_no_model_and_is_not_waited_for(native_build: Build, tmp_path: Path, beeps: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pte")
    with pytest.raises(EdgeAsrError, match=r"pipe\.pte: a pipe or device, not a model"):
        choose.open_backend(tmp_path / "pipe.pte")
    line = [native_build.runner, "--model", tmp_path / "pipe.pte", beeps]
    done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode
    assert "pipe.pte: a pipe or device, not a model" in done.stderr
