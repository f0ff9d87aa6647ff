"""What an XNNPACK delegate computes and which constants it holds, read from its payload.

The payload is a header (`XNNHeader`), a flatbuffer of the graph, and constants. ExecuTorch 1.5.1 keeps the constants
not in the payload but in named data segments of the `.pte`, so that delegates and methods share them; the graph names
each by key and states its size.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
from executorch.exir._serialize._flatbuffer import _get_flatc_path

BACKEND = "XnnpackBackend"

SCALES = "scales"  # stands in the place of a datatype for the scales of quantized weights
PLAIN_DATATYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
TRANSPOSED_WEIGHTS = 1  # XNN_FLAG_TRANSPOSE_WEIGHTS: the filter lies as [inputs, outputs]


@dataclass(frozen=True)
class Constant:
    """Bytes that a delegate reads and never writes."""

    key: str  # of the named data, the same wherever it is shared; for one inside the payload, its offset
    datatype: str  # float32, or XNNPACK's name of a quantized type (qcint8, qbint4), or SCALES
    size: int  # bytes


@dataclass(frozen=True)
class Linear:
    """One fully-connected node."""

    inputs: int  # features of a row that it reads
    outputs: int  # features of a row that it writes
    datatype: str  # of its weights
    sums_squares: bool  # its input is the square of a value; see `read_graph`


@dataclass(frozen=True)
class DelegateGraph:
    """A delegate's graph, counted."""

    operators: dict[str, int]  # XNNPACK node type -> how many
    linears: tuple[Linear, ...]  # in graph order
    constants: tuple[Constant, ...]  # each once

    @property
    def nodes(self) -> int:
        return sum(self.operators.values())


def read_graph(payload: bytes) -> DelegateGraph:
    """The payload of an XNNPACK delegate -> its graph. Raises ValueError where it is none.

    `Linear.sums_squares` tells a sum of squares with constant weights, by which RMS norms take the mean power and the
    front end gathers power into mel bands, from a learnt layer: no learnt layer reads the square of a value, or a slice
    of it.
    """
    graph = decode(payload)
    values = {value["id_out"]: (value, quantization) for value, quantization in map(tensor_of, graph["xvalues"])}
    nodes = [(node["xnode_union_type"].removeprefix("XNN"), node["xnode_union"]) for node in graph["xnodes"]]
    squares = {
        node["output_id"]
        for kind, node in nodes
        if kind == "Square" or (kind == "Multiply" and node["input1_id"] == node["input2_id"])
    }
    for kind, node in nodes:  # in the order in which they run
        if kind == "StaticSlice" and node["input_id"] in squares:
            squares.add(node["output_id"])
    linears = [linear_of(node, values, squares) for kind, node in nodes if kind == "FullyConnected"]
    table = graph["constant_data"]
    constants: dict[str, Constant] = {}
    for value, quantization in values.values():
        held = {value["constant_buffer_idx"]: datatype_of(value), quantization.get("scale_buffer_idx", 0): SCALES}
        for index, datatype in held.items():
            if 0 < index < len(table):
                entry = table[index]
                key = entry["named_key"] or f"payload+{entry['offset']}"
                constants[key] = Constant(key, datatype, entry["size"])
    operators = Counter(kind for kind, _ in nodes)
    return DelegateGraph(dict(operators.most_common()), tuple(linears), tuple(constants.values()))


def decode(payload: bytes) -> dict[str, Any]:
    """The flatbuffer in the payload as JSON values; infinite bounds become None. Raises ValueError."""
    header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    schema = resources.files("executorch.backends.xnnpack.serialization") / "schema.fbs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.fbs").write_bytes(schema.read_bytes())
        (folder / "graph.bin").write_bytes(payload[start : start + header.flatbuffer_size])
        arguments = ("--json", "--defaults-json", "--strict-json", "-o", name, f"{name}/schema.fbs", "--")
        done = subprocess.run(
            [_get_flatc_path(), *arguments, f"{name}/graph.bin"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ValueError(f"flatc cannot read the graph of a delegate (status {done.returncode})")
        text = (folder / "graph.json").read_text(encoding="utf-8")
    graph: dict[str, Any] = json.loads(re.sub(r"(?<=: )-?(inf|nan)\b", "null", text))
    return graph


def tensor_of(xvalue: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """-> the tensor of a value, and how it is quantized (empty where it is not)."""
    value = xvalue["xvalue_union"]
    if xvalue["xvalue_union_type"] == "XNNQuantizedTensorValue":
        return value["tensor_value"], value.get("quant_params", {})
    return value, {}


def datatype_of(value: dict[str, Any]) -> str:
    name: str = value["datatype"].removeprefix("xnn_datatype_")
    return PLAIN_DATATYPES.get(name, name)


def linear_of(
    node: dict[str, Any], values: dict[int, tuple[dict[str, Any], dict[str, Any]]], squares: set[int]
) -> Linear:
    weights, _ = values[node["filter_id"]]
    outputs, inputs = weights["dims"][-2:]
    if node["flags"] & TRANSPOSED_WEIGHTS:
        outputs, inputs = inputs, outputs
    return Linear(inputs, outputs, datatype_of(weights), node["input1_id"] in squares)
