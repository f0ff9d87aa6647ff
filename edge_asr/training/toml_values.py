"""Values of a TOML table against the fields of a frozen dataclass: their kinds, told by name where they do not fit."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

from edge_asr.errors import EdgeAsrError

T = TypeVar("T")

NAMES = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", dict: "a table"}


def parse_section(kind: type[T], values: Any, path: Path) -> T:
    """TOML table -> frozen dataclass; arrays become tuples. Raises EdgeAsrError naming the unknown or mistyped key."""
    if not isinstance(values, dict):
        raise EdgeAsrError(f"{path}: a section is a table, not {values!r}")
    hints = typing.get_type_hints(kind)
    names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = set(values) - names
    if unknown:
        raise EdgeAsrError(f"{path}: unknown key '{sorted(unknown)[0]}' for {kind.__name__}")
    return kind(**{key: fitted(value, hints[key], key, path) for key, value in values.items()})


def fitted(value: Any, hint: Any, key: str, path: Path) -> Any:
    """The value as the field takes it."""
    if typing.get_origin(hint) is not tuple:
        if not fits(value, hint):
            raise EdgeAsrError(f"{path}: {key} must be {NAMES[hint]}, not {value!r}")
        return value
    each, *rest = typing.get_args(hint)
    if not isinstance(value, list | tuple) or not all(fits(item, each) for item in value):
        raise EdgeAsrError(f"{path}: {key} must be a list, each item {NAMES[each]}, not {value!r}")
    if rest != [Ellipsis] and len(value) != 1 + len(rest):
        raise EdgeAsrError(f"{path}: {key} must be a list of {1 + len(rest)}, not {value!r}")
    return tuple(value)


def fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
