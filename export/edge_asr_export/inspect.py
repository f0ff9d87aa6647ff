"""What is inside a `.pte`, read without running it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executorch.exir import schema
from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.exir.scalar_type import ScalarType

from edge_asr.backends.program_file import read_program_file
from edge_asr.contract import METADATA, STEP, STEP_INPUTS, STEP_OUTPUTS, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr_export.xnnpack_graph import BACKEND, DelegateGraph, Linear, read_graph

NAMES = {STEP: (STEP_INPUTS, STEP_OUTPUTS), METADATA: ((), ("json",))}

# name and bytes of an element
DTYPES = {
    ScalarType.BYTE: ("uint8", 1),
    ScalarType.CHAR: ("int8", 1),
    ScalarType.SHORT: ("int16", 2),
    ScalarType.INT: ("int32", 4),
    ScalarType.LONG: ("int64", 8),
    ScalarType.HALF: ("float16", 2),
    ScalarType.FLOAT: ("float32", 4),
    ScalarType.DOUBLE: ("float64", 8),
    ScalarType.COMPLEX64: ("complex64", 8),
    ScalarType.BOOL: ("bool", 1),
    ScalarType.BFLOAT16: ("bfloat16", 2),
}


@dataclass(frozen=True)
class Delegate:
    """A delegate of a method."""

    backend: str  # its id
    size: int  # bytes of the payload, without the weights in named data
    graph: DelegateGraph | None  # None where the payload is not XNNPACK's


def inspect_pte(path: Path) -> dict[str, Any]:
    """Read a `.pte` -> a report that `json.dumps` takes. Raises EdgeAsrError where the file is no whole program.

    A program of another maker has `metadata` null and unnamed inputs. All sizes are bytes. The keys:

    file: `path`, `bytes`, `sha256`, and `crc32`, hexadecimal: the contract's checksum, which has proved right, or null
    metadata: the contract's `Metadata` as an object, or null
    methods: name -> method (below), in the order of the contract, others after
    operators: kernel -> calls in all methods together
    weights: `bytes` and `by_datatype`: each constant of the file once, quantized ones by XNNPACK's name (`qcint8` is
        int8 with a scale per output channel, `qbint4` int4 with a scale per group), their scales as `scales`
    other_bytes: what is left of the file: program, delegate graphs, text of the metadata, padding, trailer

    A method:

    inputs, outputs: list of `name` (null where no contract names it), `dtype`, `shape`; one that is no tensor has its
        kind (`int`, `bool`) as `dtype` and `shape` null
    instructions: how many
    operators: kernel (such as `aten::add.out`) left to portable or optimized kernels -> calls, most frequent first
    delegates: list of `backend`, `payload_bytes`, `nodes`, `operators` (node type -> how many), `linears` and
        `weights` (as above, for this delegate alone; delegates may share them). Nodes is null, and the rest empty, for
        a backend other than XNNPACK. `linears` groups fully-connected nodes: `inputs`, `outputs`, `datatype` of the
        weights, `sums_squares` (constants of a norm or of mel filters, not a learnt layer), `count`
    branches: list, one for each `if` on a run-time value: `instruction` (number of the conditional jump), and
        `taken`, `not_taken`, each with
            instructions: `first`, `end` (one past the last), `moves`, `frees`
            delegates: list of numbers in the method's `delegates`, one a call
            operators: kernel -> calls
    loops: run-time conditional jumps backwards
    memory: `planned_bytes`, of all tensors, state among them
    """
    file = read_program_file(path, foreign_too=True)
    try:
        return read_program(path, file.content, file.checksum)
    except EdgeAsrError:
        raise
    except Exception as error:  # parsers of a damaged file raise whatever they stumble over
        raise EdgeAsrError(
            f"{path}: damaged, or made with an ExecuTorch that this one cannot read: copy or export it again"
        ) from error


def read_program(path: Path, content: bytes, checksum: int | None) -> dict[str, Any]:
    program = deserialize_pte_binary(content).program
    plans = {plan.name: plan for plan in program.execution_plan}
    metadata = read_metadata(path, plans.get(METADATA), program)
    order = [name for name in (STEP, METADATA) if name in plans]
    order += [name for name in plans if name not in order]
    delegates = {name: [read_delegate(item, program) for item in plans[name].delegates] for name in order}
    methods = {name: describe_method(plans[name], delegates[name], metadata is not None) for name in order}
    weights = merge_weights(
        [constants_of(plan) for plan in program.execution_plan if plan.name != METADATA or metadata is None]
        + [graph_constants(delegate.graph) for name in order for delegate in delegates[name]]
    )
    operators: Counter[str] = Counter()
    for method in methods.values():
        operators.update(method["operators"])
    return {
        "file": {
            "path": str(path),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "crc32": None if checksum is None else f"{checksum:08x}",
        },
        "metadata": None if metadata is None else dataclasses.asdict(metadata),
        "methods": methods,
        "operators": dict(operators.most_common()),
        "weights": weights,
        "other_bytes": len(content) - weights["bytes"],
    }


def read_metadata(path: Path, plan: Any, program: Any) -> Metadata | None:
    """None where the program is not ours. Raises EdgeAsrError where it is ours, of another contract."""
    if plan is None or len(plan.outputs) != 1:
        return None
    value = plan.values[plan.outputs[0]].val
    if not isinstance(value, schema.Tensor) or value.scalar_type != ScalarType.BYTE or not value.data_buffer_idx:
        return None
    text = bytes(program.constant_buffer[value.data_buffer_idx].storage[: math.prod(value.sizes)])
    try:
        if json.loads(text)["format"] != "edge-asr":
            return None
    except (ValueError, KeyError, TypeError):
        return None
    try:
        return Metadata.from_json(text)
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{path}: {error}") from None


def read_delegate(delegate: Any, program: Any) -> Delegate:
    payload = bytes(program.backend_delegate_data[delegate.processed.index].data)
    return Delegate(delegate.id, len(payload), read_graph(payload) if delegate.id == BACKEND else None)


def describe_method(plan: Any, delegates: list[Delegate], ours: bool) -> dict[str, Any]:
    input_names, output_names = NAMES.get(plan.name, ((), ())) if ours else ((), ())
    operators: Counter[str] = Counter()
    branches, loops, instructions = [], 0, 0
    for chain in plan.chains:
        calls = [instruction.instr_args for instruction in chain.instructions]
        instructions += len(calls)
        operators.update(operator_name(plan, call) for call in calls if isinstance(call, schema.KernelCall))
        for number, call in enumerate(calls):
            if isinstance(call, schema.JumpFalseCall) and is_conditional(plan, calls, call):
                if call.destination_instruction <= number:
                    loops += 1
                else:
                    branches.append(describe_branch(plan, calls, number))
    return {
        "inputs": [describe_value(plan, index, name) for index, name in named(plan.inputs, input_names)],
        "outputs": [describe_value(plan, index, name) for index, name in named(plan.outputs, output_names)],
        "instructions": instructions,
        "operators": dict(operators.most_common()),
        "delegates": [describe_delegate(delegate) for delegate in delegates],
        "branches": branches,
        "loops": loops,
        "memory": describe_memory(plan.non_const_buffer_sizes),
    }


def named(indices: list[int], names: tuple[str | None, ...]) -> list[tuple[int, str | None]]:
    """Names only where each value has one."""
    given = names if len(names) == len(indices) else (None,) * len(indices)
    return list(zip(indices, given, strict=True))


def describe_value(plan: Any, index: int, name: str | None) -> dict[str, Any]:
    value = plan.values[index].val
    if not isinstance(value, schema.Tensor):
        return {"name": name, "dtype": type(value).__name__.lower(), "shape": None}
    return {"name": name, "dtype": dtype_of(value)[0], "shape": list(value.sizes)}


def dtype_of(tensor: Any) -> tuple[str, int]:
    """Name, and bytes of an element."""
    kind = ScalarType(tensor.scalar_type)
    return DTYPES.get(kind, (kind.name.lower(), 1))


def operator_name(plan: Any, call: Any) -> str:
    operator = plan.operators[call.op_index]
    return f"{operator.name}.{operator.overload}" if operator.overload else str(operator.name)


def is_conditional(plan: Any, calls: list[Any], jump: Any) -> bool:
    """Whether a jump depends on the run. The jump over the else side is a JumpFalseCall too, on a constant False:
    a Bool that nothing writes."""
    condition = jump.cond_value_index
    if not isinstance(plan.values[condition].val, schema.Bool):
        return True
    return any(condition in getattr(call, "args", ()) or getattr(call, "move_to", None) == condition for call in calls)


def describe_branch(plan: Any, calls: list[Any], jump: int) -> dict[str, Any]:
    """The sides of the forward jump at `jump`: taken up to its destination, and not taken from there to where the
    unconditional jump that closes the taken side leads; empty where no such jump is."""
    middle = calls[jump].destination_instruction
    last = calls[middle - 1]
    closed = isinstance(last, schema.JumpFalseCall) and not is_conditional(plan, calls, last)
    end = last.destination_instruction if closed else middle
    return {
        "instruction": jump,
        "taken": describe_side(plan, calls, jump + 1, middle - int(closed)),
        "not_taken": describe_side(plan, calls, middle, end),
    }


def describe_side(plan: Any, calls: list[Any], first: int, end: int) -> dict[str, Any]:
    side = calls[first:end]
    operators = Counter(operator_name(plan, call) for call in side if isinstance(call, schema.KernelCall))
    return {
        "instructions": {
            "first": first,
            "end": end,
            "moves": sum(isinstance(call, schema.MoveCall) for call in side),
            "frees": sum(isinstance(call, schema.FreeCall) for call in side),
        },
        "delegates": [call.delegate_index for call in side if isinstance(call, schema.DelegateCall)],
        "operators": dict(operators.most_common()),
    }


def describe_delegate(delegate: Delegate) -> dict[str, Any]:
    graph = delegate.graph
    return {
        "backend": delegate.backend,
        "payload_bytes": delegate.size,
        "nodes": None if graph is None else graph.nodes,
        "operators": {} if graph is None else graph.operators,
        "linears": [] if graph is None else group_linears(graph.linears),
        "weights": merge_weights([graph_constants(graph)]),
    }


def group_linears(linears: tuple[Linear, ...]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(linear), "count": count} for linear, count in Counter(linears).items()]


def graph_constants(graph: DelegateGraph | None) -> dict[str, tuple[str, int]]:
    """Key -> datatype and bytes of each constant of a delegate. A key in the payload is no other delegate's."""
    if graph is None:
        return {}
    return {
        f"{id(graph)} {item.key}" if item.key.startswith("payload") else item.key: (item.datatype, item.size)
        for item in graph.constants
    }


def constants_of(plan: Any) -> dict[str, tuple[str, int]]:
    """Key -> datatype and bytes of each constant tensor outside delegates."""
    found = {}
    for item in plan.values:
        value = item.val
        if isinstance(value, schema.Tensor) and value.data_buffer_idx and value.allocation_info is None:
            name, size = dtype_of(value)
            found[f"buffer {value.data_buffer_idx}"] = (name, size * math.prod(value.sizes))
    return found


def merge_weights(parts: list[dict[str, tuple[str, int]]]) -> dict[str, Any]:
    """Constants by key -> `bytes` and `by_datatype`, each key once, the largest datatype first."""
    sizes: Counter[str] = Counter()
    for datatype, size in {key: value for part in parts for key, value in part.items()}.values():
        sizes[datatype] += size
    return {"bytes": sizes.total(), "by_datatype": dict(sizes.most_common())}


def describe_memory(arenas: list[int]) -> dict[str, int]:
    return {"planned_bytes": sum(arenas)}
