"""The metadata of a file: what is not ours, or of another contract, is refused in one line."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from edge_asr.contract import CONTRACT_VERSION, FORMAT, Metadata
from edge_asr.errors import EdgeAsrError

METADATA = Metadata(
    contract_version=CONTRACT_VERSION,
    sample_rate_hz=16_000,
    chunk_samples=10_240,
    chunk_frames=16,
    frame_samples=640,
    blank_id=0,
    pieces=("<blank>", "▁A", "B"),
    default_threshold=0.9,
    precision="int8",
    lower_layers=3,
    upper_layers=8,
    training={"step": "1"},
    exporter={"torch": "2.13.0"},
)


def test_metadata_survives_the_journey() -> None:
    assert Metadata.from_json(METADATA.to_json()) == METADATA


def test_a_block_holds_two_chunks_of_frames_and_no_file_says_so() -> None:
    assert METADATA.block_frames == 32
    assert "block" not in METADATA.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "not json",
        json.dumps(asdict(METADATA)),  # without the format
        json.dumps({"format": "other", **asdict(METADATA)}),
        json.dumps({"format": FORMAT}),
        '{"format": "edge-asr", "contract_version": 1e999}',
        '{"format": "edge-asr", "training": ' + "[" * 90_000 + "]" * 90_000 + "}",
    ],
    ids=["empty", "list", "text", "no format", "other format", "no version", "infinite version", "deep"],
)
def test_foreign_metadata_is_refused(text: str) -> None:
    with pytest.raises(EdgeAsrError, match="not a model made by edge-asr"):
        Metadata.from_json(text)


@pytest.mark.parametrize("version", [CONTRACT_VERSION - 1, CONTRACT_VERSION + 1])
def test_other_contracts_are_named(version: int) -> None:
    with pytest.raises(EdgeAsrError, match=f"made for contract {version}"):
        Metadata.from_json(json.dumps({"format": FORMAT, **asdict(METADATA), "contract_version": version}))
