"""Reports that an older edge-asr wrote, as the present schema has them."""

from __future__ import annotations

from typing import Any

UNFINISHED = ("not finished", "interrupted", "it failed: ")  # how the first reason of a version 1 verdict begins


def upgraded(value: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew no hash of the references, and said only in words that a run had ended early. What is malformed is
    left as it is."""
    if value.get("schema_version") != 1:
        return value
    protocol, verdict = value.get("protocol"), value.get("verdict")
    if isinstance(protocol, dict):
        value = {**value, "protocol": {"references_sha256": None, **protocol}}
    if isinstance(verdict, dict):
        value = {**value, "verdict": {"unfinished": unfinished_by(verdict.get("reasons")), **verdict}}
    return {**value, "schema_version": 2}


def unfinished_by(reasons: object) -> str | None:
    first = reasons[0] if isinstance(reasons, list) and reasons else None
    return first if isinstance(first, str) and first.startswith(UNFINISHED) else None
