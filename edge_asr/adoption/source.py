"""A pretrained encoder: a local Hugging Face folder, or a name on the Hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from edge_asr.errors import EdgeAsrError

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
WANTED = ["*.json", "*.safetensors", "*.model", "vocab.txt"]  # of what a name on the Hub holds


@dataclass(frozen=True)
class Source:
    """What was read, before it is known what it is good for."""

    folder: Path  # where it lies
    config: dict[str, Any]  # config.json
    weights: dict[str, Tensor]  # every tensor by name, float32

    @property
    def model_type(self) -> str:
        return str(self.config.get("model_type", ""))


def read_source(name: str) -> Source:
    """Raises EdgeAsrError where it is no such folder or name, or where config or weights are missing or damaged."""
    folder = Path(name)
    if not folder.is_dir():
        if folder.exists():
            raise EdgeAsrError(f"{name}: a file, not a Hugging Face folder: name the folder that holds {CONFIG}")
        folder = download(name)
    return Source(folder, read_config(folder), read_weights(folder))


def download(name: str) -> Path:
    """Fetch OWNER/NAME from the Hub into its cache, as `huggingface_hub` does. Raises EdgeAsrError."""
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise EdgeAsrError(f"{name}: no such folder (a name on the Hugging Face Hub looks like owner/name)")
    from huggingface_hub import snapshot_download  # half a second, and only wanted here
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise EdgeAsrError(
            f"{name}: no such folder, and not fetched from the Hugging Face Hub ({reason}): "
            "go online, or pass a folder that holds it"
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeAsrError(f"{folder}: no {CONFIG} in it: not a Hugging Face folder") from None
    except (OSError, ValueError) as error:
        raise EdgeAsrError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise EdgeAsrError(f"{path}: names no model_type: not the configuration of a model")
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError) as error:
            raise EdgeAsrError(f"{path}: damaged or cut short ({error}): fetch it again") from None
        for name, value in read.items():
            if value.is_complex() or (not value.is_floating_point() and value.dim() > 1):
                raise EdgeAsrError(f"{path}: {name} is of {value.dtype}: quantized weights are not taken")
            weights[name] = value.float()
            if not weights[name].isfinite().all():
                raise EdgeAsrError(f"{path}: {name} holds what is not a finite number: fetch it again")
    return weights


def weight_files(folder: Path) -> list[Path]:
    """One file, or those that an index names."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        others = sorted(path.name for pattern in ("*.bin", "*.pt", "*.ckpt", "*.nemo") for path in folder.glob(pattern))
        way_out = f"{others[0]} may run code when it is loaded: save it as safetensors" if others else "fetch it again"
        raise EdgeAsrError(f"{folder}: no weights in it ({WEIGHTS} is missing): {way_out}")
    try:
        names = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EdgeAsrError(f"{folder / INDEX}: names no weights ({error})") from None
    outside = sorted(name for name in names if Path(str(name)).name != name)
    if outside:
        raise EdgeAsrError(f"{folder / INDEX}: names '{outside[0]}', which is no file of its folder: it is not taken")
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise EdgeAsrError(f"{folder}: {missing[0]} is missing, which {INDEX} names: fetch it again")
    return [folder / name for name in sorted(names)]
