"""From a folder that `transformers` saved to a `.pte` that branches and hears what the library hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.audio import read_audio
from edge_asr.demo import RECORDING
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.hearing import heard_as_stream
from edge_asr.recognizer import Recognizer
from edge_asr_export.inspect import inspect_pte
from tests.adoption.sources import saved
from tests.outcome import Run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hubert-layer", "parakeet"])  # the guide's commands take a Wav2Vec2
def test_a_folder_becomes_a_file_that_branches(run: Run, tmp_path: Path, kind: str) -> None:
    start, pte = tmp_path / "start.safetensors", tmp_path / "start.pte"
    assert run("adopt", saved(kind, tmp_path / "source"), "--cut", 3, "-o", start).code == 0
    exported = run("export", start, "-o", pte, "--precision", "fp32", "--json").json
    assert exported["checks"]["structure"]
    assert len(inspect_pte(pte)["methods"]["step"]["branches"]) == 6
    samples = read_audio(RECORDING, 16_000)
    with Recognizer.open(pte) as recognizer:
        text = recognizer.transcribe(samples, 0.5).text
        assert text
        assert text == heard_as_stream(load_checkpoint(start), samples, 0.5, recognizer.metadata.chunk_frames)
