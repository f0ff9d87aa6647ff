"""What the replays of the vectors share: reading the files, and comparing what came out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOREIGN = "not a model made by edge-asr (its metadata is missing or foreign)"
CONTRACT = re.compile(r"made for contract \d+, this (?:edge-asr|app) reads contract \d+: .*export the checkpoint again")
BREACH = re.compile(r"its metadata does not follow contract \d+ \((\w+)\): export it again")
FILE_REASONS = {  # words of a refusal
    "is empty (0 bytes)": "empty",
    "not an ExecuTorch program": "kind",
    "is cut short": "short",
    "it has no checksum": "unsealed",
    "made for contract": "contract",
    "damaged (checksum": "damaged",
}
CONFIDENCE_TOLERANCE = 2e-6  # the vectors have six digits, and other languages float32


def read_vectors(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def reason_of(message: str) -> str:
    """`foreign`, `contract` or the key: the words of `metadata.jsonl`. Of another message, the message."""
    if message == FOREIGN:
        return "foreign"
    if CONTRACT.fullmatch(message):
        return "contract"
    breach = BREACH.fullmatch(message)
    return breach[1] if breach else message


def file_reason_of(message: str) -> str:
    """The words of `program_file.jsonl`."""
    return next((reason for words, reason in FILE_REASONS.items() if words in message), message)


def differences(vector: dict[str, Any], heard: dict[str, Any]) -> list[str]:
    """Where the words of a time line are other than the vector's; times are the same to the last bit."""
    found = []
    if len(heard["steps"]) != len(vector["steps"]):
        found.append(f"{len(heard['steps'])} steps ran of {len(vector['steps'])}")
    for number, (expected, step) in enumerate(zip(vector["steps"], heard["steps"], strict=False)):
        if step.get("refused") != expected.get("refused"):
            found.append(f"step {number} was refused: {step.get('refused')}, expected {expected.get('refused')}")
        for key in ("words", "partial_words"):
            if not same_words(step.get(key), expected.get(key)):
                found.append(f"step {number} has {key} {step.get(key)}, expected {expected.get(key)}")
    if not same_words(heard.get("finish"), vector.get("finish")):
        found.append(f"the end has {heard.get('finish')}, expected {vector.get('finish')}")
    return found


def same_words(found: list[list[Any]] | None, expected: list[list[Any]] | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return len(found) == len(expected) and all(
        word[:3] == other[:3] and abs(word[3] - other[3]) <= CONFIDENCE_TOLERANCE
        for word, other in zip(found, expected, strict=True)
    )
