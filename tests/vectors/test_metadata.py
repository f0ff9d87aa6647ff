"""Python reads metadata as `metadata.jsonl` says, from which C++ and Kotlin are tested too."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from edge_asr.contract import Metadata
from edge_asr.errors import EdgeAsrError
from tests.vectors import metadata
from tests.vectors.replay import read_vectors, reason_of

VECTORS = read_vectors(metadata.FILE)


def test_the_file_is_what_its_generator_writes() -> None:
    assert metadata.FILE.read_text(encoding="utf-8") == metadata.text(), "run python -m tests.vectors.metadata"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_python_reads_as_the_vector_says(vector: dict[str, Any]) -> None:
    texts: list[str | bytes] = (
        [bytes.fromhex(vector["utf8"])] if "utf8" in vector else [vector["text"], vector["text"].encode()]
    )
    for text in texts:
        try:
            found: dict[str, Any] = {"accepted": dataclasses.asdict(Metadata.from_json(text))}
            assert found["accepted"].pop("contract_version") == metadata.CONTRACT_VERSION
            found["accepted"]["pieces"] = list(found["accepted"]["pieces"])
            assert isinstance(found["accepted"]["default_threshold"], float)
        except EdgeAsrError as refusal:
            found = {"refused": reason_of(str(refusal))}
        assert found == {key: vector[key] for key in ("accepted", "refused") if key in vector}
