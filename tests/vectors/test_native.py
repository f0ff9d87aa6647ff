"""C++ makes of the vectors what they say, under sanitizers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import absent
from tests.native.drivers import NATIVE, compile_program, sanitizer_environment
from tests.vectors import metadata, time_line
from tests.vectors.replay import differences, read_vectors, reason_of

BAD_FILE, FAILED = 1, 4  # EDGE_ASR_BAD_FILE, EDGE_ASR_FAILED
KEPT = ("sample_rate_hz", "chunk_samples", "chunk_frames", "frame_samples", "blank_id", "pieces", "default_threshold")

pytestmark = pytest.mark.slow  # compiling takes half a minute


def replayed(folder: Path, name: str, text: str) -> list[dict[str, Any]]:
    """What `replay_{name}.cpp`, with the part of the native runtime that it names, prints of a text."""
    if shutil.which("c++") is None:
        absent("no C++ compiler: apt install g++")
    sources = [Path(__file__).with_name(f"replay_{name}.cpp"), NATIVE / "src" / f"{name}.cpp"]
    program = compile_program(folder / name, sources)
    done = subprocess.run(
        [program], input=text, capture_output=True, text=True, env=sanitizer_environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_cpp_reads_metadata_as_the_vectors_say(tmp_path: Path) -> None:
    vectors = read_vectors(metadata.FILE)
    texts = [vector.get("utf8") or vector["text"].encode().hex() for vector in vectors]
    answers = replayed(tmp_path, "metadata", "".join(f"{text}\n" for text in texts))
    pairs = zip(vectors, answers, strict=True)
    assert {vector["name"]: answer for vector, answer in pairs if not is_read_so(answer, vector)} == {}


def is_read_so(answer: dict[str, Any], vector: dict[str, Any]) -> bool:
    if "refused" in vector:
        return answer.get("status") == BAD_FILE and reason_of(answer["refused"]) == vector["refused"]
    # the thresholds of the vectors are float32 numbers
    return answer == {"accepted": {key: vector["accepted"][key] for key in KEPT}}


def test_cpp_hears_as_the_vectors_say(tmp_path: Path) -> None:
    vectors = read_vectors(time_line.FILE)
    answers = replayed(tmp_path, "time_line", time_line.FILE.read_text(encoding="utf-8"))
    pairs = [(vector, answer) for vector, answer in zip(vectors, answers, strict=True)]
    assert {vector["name"]: found for vector, answer in pairs if (found := differences(vector, answer))} == {}
    refusals = [step["status"] for _, answer in pairs for step in answer["steps"] if "refused" in step]
    assert set(refusals) == {FAILED}
