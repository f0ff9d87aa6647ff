"""Parts of edge-asr that need more than its runtime does, and the extras of the package that bring it."""

from __future__ import annotations

import importlib.util

from edge_asr.errors import EdgeAsrError

EXPORT = ("torch", "executorch", "safetensors", "filelock")
EXTRAS = {  # extra -> modules that it must bring
    "export": EXPORT,
    "train": (*EXPORT, "sentencepiece"),
    "adopt": (*EXPORT, "sentencepiece", "huggingface_hub", "tokenizers"),
    "baselines": (*EXPORT, "onnx", "onnxscript", "onnxruntime", "pocketsphinx"),
    "sweep": ("matplotlib",),
}


def require_extra(extra: str, purpose: str) -> None:
    """Raises EdgeAsrError with the line that installs what `purpose` needs, where it is not there."""
    absent = [module for module in EXTRAS[extra] if importlib.util.find_spec(module) is None]
    if absent:
        raise EdgeAsrError(f"{purpose} needs {', '.join(absent)}: {how_to_install(extra)}")


def how_to_install(extra: str) -> str:
    return f"pip install '.[{extra}]' in the folder of edge-asr's sources"
