"""C++ makes of the vectors what they say, under sanitizers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.native.drivers import NATIVE, compile_program, sanitizer_environment
from tests.requirements import absent
from tests.vectors import metadata, program_file, time_line
from tests.vectors.replay import differences, file_reason_of, read_vectors, reason_of

BAD_FILE, FAILED = 1, 4  # EDGE_ASR_BAD_FILE, EDGE_ASR_FAILED
KEPT = ("sample_rate_hz", "chunk_samples", "chunk_frames", "frame_samples", "blank_id", "pieces", "default_threshold")

pytestmark = pytest.mark.slow  # compiling takes half a minute


def replayed(folder: Path, name: str, text: str, *others: str) -> list[str]:
    """The lines that `replay_{name}.cpp`, with that part of the native runtime and others, prints of a text."""
    if shutil.which("c++") is None:
        absent("no C++ compiler: apt install g++")
    parts = [NATIVE / "src" / f"{part}.cpp" for part in (name, *others)]
    program = compile_program(folder / name, [Path(__file__).with_name(f"replay_{name}.cpp"), *parts])
    done = subprocess.run(
        [program], input=text, capture_output=True, text=True, env=sanitizer_environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_cpp_reads_metadata_as_the_vectors_say(tmp_path: Path) -> None:
    vectors = read_vectors(metadata.FILE)
    texts = [vector.get("utf8") or vector["text"].encode().hex() for vector in vectors]
    answers = replayed(tmp_path, "metadata", "".join(f"{text}\n" for text in texts))
    pairs = zip(vectors, map(json.loads, answers), strict=True)
    assert {vector["name"]: answer for vector, answer in pairs if not is_read_so(answer, vector)} == {}


def is_read_so(answer: dict[str, Any], vector: dict[str, Any]) -> bool:
    if "refused" in vector:
        return answer.get("status") == BAD_FILE and reason_of(answer["refused"]) == vector["refused"]
    # the thresholds of the vectors are float32 numbers
    return answer == {"accepted": {key: vector["accepted"][key] for key in KEPT}}


def test_cpp_hears_as_the_vectors_say(tmp_path: Path) -> None:
    vectors = read_vectors(time_line.FILE)
    answers = replayed(tmp_path, "time_line", time_line.FILE.read_text(encoding="utf-8"))
    pairs = list(zip(vectors, map(json.loads, answers), strict=True))
    assert {vector["name"]: found for vector, answer in pairs if (found := differences(vector, answer))} == {}
    refusals = [step["status"] for _, answer in pairs for step in answer["steps"] if "refused" in step]
    assert set(refusals) == {FAILED}


def test_cpp_checks_a_file_as_the_vectors_say(tmp_path: Path) -> None:
    vectors = read_vectors(program_file.FILE)
    paths = [tmp_path / f"{number}.pte" for number in range(len(vectors))]
    for path, vector in zip(paths, vectors, strict=True):
        path.write_bytes(bytes.fromhex(vector["bytes"]))
    answers = replayed(
        tmp_path, "program_file", "".join(f"{path}\n" for path in paths), "metadata", "crc32", "open_file"
    )
    found = {
        vector["name"]: file_reason_of(line) if line else None for vector, line in zip(vectors, answers, strict=True)
    }
    assert found == {vector["name"]: vector["refused"] for vector in vectors}
