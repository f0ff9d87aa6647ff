"""C++ makes of `metadata.jsonl` what the table says, under sanitizers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.native.drivers import NATIVE, compile_program, sanitizer_environment
from tests.vectors import metadata
from tests.vectors.replay import reason_of

VECTORS: list[dict[str, Any]] = [json.loads(line) for line in metadata.FILE.read_text(encoding="utf-8").splitlines()]
BAD_FILE = 1  # EDGE_ASR_BAD_FILE
KEPT = ("sample_rate_hz", "chunk_samples", "chunk_frames", "frame_samples", "blank_id", "pieces", "default_threshold")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Name -> what the native runtime made of it."""
    program = compile_program(
        tmp_path_factory.mktemp("replay") / "replay_metadata",
        [Path(__file__).with_name("replay_metadata.cpp"), NATIVE / "src" / "metadata.cpp"],
    )
    texts = [vector.get("utf8") or vector["text"].encode().hex() for vector in VECTORS]
    done = subprocess.run(
        [program],
        input="".join(f"{text}\n" for text in texts),
        capture_output=True,
        text=True,
        env=sanitizer_environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    return {vector["name"]: answer for vector, answer in zip(VECTORS, printed, strict=True)}


def test_cpp_reads_as_the_vectors_say(answers: dict[str, dict[str, Any]]) -> None:
    wrong = {vector["name"]: answers[vector["name"]] for vector in VECTORS if not agrees(answers[vector["name"]], vector)}
    assert wrong == {}


def agrees(answer: dict[str, Any], vector: dict[str, Any]) -> bool:
    if "refused" in vector:
        return answer.get("status") == BAD_FILE and reason_of(answer["refused"]) == vector["refused"]
    expected = {key: vector["accepted"][key] for key in KEPT}
    return answer == {"accepted": expected}  # the thresholds of the vectors are float32 numbers
