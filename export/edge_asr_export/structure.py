"""The structure that makes the gate pay, as a check of what `edge_asr_export.inspect` found in a file."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from edge_asr.contract import STEP
from edge_asr.errors import EdgeAsrError
from edge_asr.model.gate import block_sizes
from edge_asr_export.xnnpack_graph import BACKEND

# Datatypes of the weights of learnt linears. With int4, a linear whose input is no whole number of groups gets int8.
LINEAR_DATATYPES = {"fp32": {"float32"}, "int8": {"qcint8"}, "int4": {"qbint4", "qcint8"}}

# What may run beside the delegates where the upper stack runs: it makes angles of frame numbers.
ANGLES = {
    "aten::mul.out",
    "aten::remainder.Scalar_out",
    "dim_order_ops::_to_dim_order_copy.out",
    "executorch_prim::et_view.default",
    "aten::cos.out",
    "aten::sin.out",
}

# What makes the zeros of a new stream's state.
ZEROS = {"aten::full.out", "aten::full_like.out"}

# Words of a kernel's name that say it multiplies matrices or convolves, such as aten::_conv_depthwise2d.
HEAVY = re.compile(
    r"(?:^|_)(?:(?:b|add|addb|baddb)?mm|matmul|(?:add)?mv|dot|einsum|linear|conv(?:olution)?(?:[123]d)?)(?:_|\.|$)"
)


def check_structure(
    report: dict[str, Any], precision: str, lower_layers: Counter[tuple[int, int]] | None = None
) -> None:
    """Raises EdgeAsrError naming the first thing that is wrong in a report of `inspect_pte`.

    - `step` has branches on run-time values, and no loop: whether a stream starts; whether there are frames for the
      lower stack; whether a block of kept frames is due for the upper stack; inside that, whether it is too large for
      the smallest block, and so on inside each other up to the largest;
    - where a stream starts, the state becomes zeros; where it does not, the state is handed on and no kernel is called;
    - where a stack runs are calls of XNNPACK delegates only, with at least one learnt linear for each layer, and for
      the upper stack what makes the angles of its positions;
    - where it does not, no delegate is called;
    - no kernel outside delegates, in any method, multiplies matrices or convolves;
    - the weights of every learnt linear have the datatype of the precision, in any delegate of any method. What sums
      squares with constant weights (RMS norms, mel filters; see `xnnpack_graph`) is not learnt and is float32;
    - the labels of a factorized model are nowhere but in the branch: there is no linear outside with an output for each
      piece, or for each but blank. `lower_layers`, which only a factorized model has, are linears of other layers that
      always run, some of which may have as many outputs: inputs and outputs, and how often.
    """
    step = report["methods"].get(STEP)
    if step is None:
        raise wrong(f"it has no method {STEP}")
    for name, method in report["methods"].items():
        for operator in filter(is_heavy, method["operators"]):
            raise wrong(f"{operator} of {name} is left to a portable or optimized kernel")
    metadata = report["metadata"] or {}
    branches = len(step["branches"])
    expected = 2 + len(block_sizes(metadata["chunk_frames"])) if metadata else max(3, branches)
    if branches != expected or step["loops"]:
        raise wrong(f"{STEP} has {branches} run-time branches and {step['loops']} loops, expected {expected} and 0")
    check_branches(step, metadata)
    check_linears(report, precision)
    if lower_layers is not None:
        check_labels(step, len(report["metadata"]["pieces"]), lower_layers)


def check_branches(step: dict[str, Any], metadata: dict[str, Any]) -> None:
    start, lower, upper, *sizes = step["branches"]
    for side, allowed in ((start["taken"], ZEROS), (start["not_taken"], set())):
        if side["delegates"]:
            raise wrong("the branch that starts a stream calls a delegate")
        check_kernels("the branch that starts a stream", side, allowed)
    check_stack(step, "lower", lower["taken"], metadata.get("lower_layers", 1))
    check_kernels("the branch of the upper stack", upper["taken"], ANGLES)
    around = upper
    for size in sizes:
        inside = around["taken"]["instructions"]
        if not inside["first"] <= size["instruction"] < inside["end"]:
            raise wrong("a branch on the size of a block lies outside the branch of the upper stack")
        check_stack(step, "upper", size["not_taken"], metadata.get("upper_layers", 1))
        around = size
    check_stack(step, "upper", around["taken"], metadata.get("upper_layers", 1))
    for stack, branch in (("lower", lower), ("upper", upper)):
        if branch["not_taken"]["delegates"]:
            raise wrong(f"the branch that skips the {stack} stack calls a delegate")


def check_kernels(branch: str, side: dict[str, Any], allowed: set[str]) -> None:
    left = sorted(set(side["operators"]) - allowed)
    if left:
        raise wrong(f"{branch} calls {', '.join(left)} outside delegates")


def check_stack(step: dict[str, Any], stack: str, side: dict[str, Any], layers: int) -> None:
    check_kernels(f"the branch of the {stack} stack", side, set())
    delegates = [step["delegates"][number] for number in side["delegates"]]
    for delegate in delegates:
        if delegate["backend"] != BACKEND:
            raise wrong(f"the branch of the {stack} stack calls {delegate['backend']}, expected {BACKEND}")
    linears = sum(linear["count"] for linear in learnt_linears(delegates))
    if linears < layers:
        raise wrong(f"the branch of the {stack} stack has {linears} linears in delegates for {layers} layers")


def check_labels(step: dict[str, Any], pieces: int, lower_layers: Counter[tuple[int, int]]) -> None:
    inside = step["branches"][2]["taken"]["delegates"]
    outside = [delegate for number, delegate in enumerate(step["delegates"]) if number not in inside]
    found: Counter[tuple[int, int]] = Counter()
    for linear in learnt_linears(outside):
        found[linear["inputs"], linear["outputs"]] += linear["count"]
    for inputs, outputs in found - lower_layers:
        if outputs in (pieces, pieces - 1):
            raise wrong(f"a linear of {outputs} x {inputs}, as labels have, is outside the branch of the upper stack")


def check_linears(report: dict[str, Any], precision: str) -> None:
    allowed = LINEAR_DATATYPES[precision]
    stated = (report["metadata"] or {}).get("precision", precision)
    if stated != precision:
        raise wrong(f"its metadata says {stated}, expected {precision}")
    linears = [linear for method in report["methods"].values() for linear in learnt_linears(method["delegates"])]
    for linear in linears:
        if linear["datatype"] not in allowed:
            found = f"a linear of {linear['outputs']} x {linear['inputs']} has {linear['datatype']} weights"
            raise wrong(f"{found}, expected {' or '.join(sorted(allowed))}")
    if precision == "int4" and not any(linear["datatype"] == "qbint4" for linear in linears):
        raise wrong("no linear has int4 weights")


def learnt_linears(delegates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [linear for delegate in delegates for linear in delegate["linears"] if not linear["sums_squares"]]


def is_heavy(operator: str) -> bool:
    return HEAVY.search(operator.split("::")[-1]) is not None


def wrong(reason: str) -> EdgeAsrError:
    return EdgeAsrError(f"the exported program has the wrong structure: {reason}")
