"""The report as JSON Schema, read off the dataclasses of `report.py` and the comments of their fields.

Usage: python -m edge_asr.profiling.report_schema > edge_asr/profiling/report_schema.json
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from edge_asr.json_text import json_text
from edge_asr.profiling import report
from edge_asr.profiling.report import FORMAT, SCHEMA_VERSION, Report

SCHEMA_FILE = Path(__file__).with_suffix(".json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
FIELD = re.compile(r"^    (\w+): .*?(?:  # (.*))?$", re.M)
PLAIN = {float: "number", int: "integer", str: "string", bool: "boolean"}


def schema() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    top = definition(Report, definitions)
    top["properties"] = {"format": {"const": FORMAT}, **top["properties"], "schema_version": {"const": SCHEMA_VERSION}}
    top["required"] = ["format", *top["required"]]
    del definitions[Report.__name__]
    about = {"$schema": DIALECT, "title": "A profile made by edge-asr"}
    return {**about, "description": (report.__doc__ or "").split("\n")[0], **top, "$defs": definitions}


def definition(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a dataclass; those it is made of go into `definitions`."""
    definitions[kind.__name__] = {}  # keeps its place before its parts
    comments = dict(FIELD.findall(inspect.getsource(kind)))
    properties = {
        name: schema_of(hint, definitions) | ({"description": comments[name]} if comments.get(name) else {})
        for name, hint in typing.get_type_hints(kind).items()
    }
    made = {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    definitions[kind.__name__] = made
    return made


def schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field's type."""
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        name = typing.cast(type, kind).__name__
        if name not in definitions:
            definition(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin in (types.UnionType, typing.Union):
        (wanted,) = [option for option in options if option is not types.NoneType]
        return {"anyOf": [schema_of(wanted, definitions), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(options)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(options[1], definitions)}
    if origin is tuple and options[1:] == (Ellipsis,):
        return {"type": "array", "items": schema_of(options[0], definitions)}
    if origin is tuple:
        items = [schema_of(option, definitions) for option in options]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    return {"type": PLAIN[kind]}


def schema_text() -> str:
    return json_text(schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
