"""What the replays of the vectors share: the reason that a refusal gives."""

from __future__ import annotations

import re

FOREIGN = "not a model made by edge-asr (its metadata is missing or foreign)"
CONTRACT = re.compile(r"made for contract \d+, this (?:edge-asr|app) reads contract \d+: .*export the checkpoint again")
BREACH = re.compile(r"its metadata does not follow contract \d+ \((\w+)\): export it again")


def reason_of(message: str) -> str:
    """`foreign`, `contract` or the key: the words of `metadata.jsonl`. Of another message, the message."""
    if message == FOREIGN:
        return "foreign"
    if CONTRACT.fullmatch(message):
        return "contract"
    breach = BREACH.fullmatch(message)
    return breach[1] if breach else message
