"""The structure that makes the gate pay, as a check of what `export.inspect` found in a file."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from edge_asr.contract import STEP
from edge_asr.errors import EdgeAsrError
from export.xnnpack_graph import BACKEND

# Datatypes of the weights of learnt linears. With int4, a linear whose input is no whole number of groups gets int8.
LINEAR_DATATYPES = {"fp32": {"float32"}, "int8": {"qcint8"}, "int4": {"qbint4", "qcint8"}}

# Words of a kernel's name that say it multiplies matrices or convolves, such as aten::_conv_depthwise2d.
HEAVY = re.compile(
    r"(?:^|_)(?:(?:b|add|addb|baddb)?mm|matmul|(?:add)?mv|dot|einsum|linear|conv(?:olution)?(?:[123]d)?)(?:_|\.|$)"
)


def check_structure(
    report: dict[str, Any], precision: str, lower_layers: Counter[tuple[int, int]] | None = None
) -> None:
    """Raises EdgeAsrError naming the first thing that is wrong in a report of `inspect_pte`.

    - `step` has one branch on a run-time value, and no loop;
    - the taken side is calls of XNNPACK delegates only, with at least one learnt linear for each upper layer;
    - the other side calls no delegate, and multiplies no matrices;
    - no kernel outside delegates, in any method, multiplies matrices or convolves;
    - the weights of every learnt linear have the datatype of the precision, in any delegate of any method. What sums
      squares with constant weights (RMS norms, mel filters; see `export.xnnpack_graph`) is not learnt and is float32;
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
    if len(step["branches"]) != 1 or step["loops"]:
        raise wrong(f"{STEP} has {len(step['branches'])} run-time branches and {step['loops']} loops, expected 1 and 0")
    check_taken(step, (report["metadata"] or {}).get("upper_layers", 1))
    if step["branches"][0]["not_taken"]["delegates"]:
        raise wrong("the branch that skips the upper stack calls a delegate")
    check_linears(report, precision)
    if lower_layers is not None:
        check_labels(step, len(report["metadata"]["pieces"]), lower_layers)


def check_taken(step: dict[str, Any], upper_layers: int) -> None:
    taken = step["branches"][0]["taken"]
    if taken["operators"]:
        raise wrong(f"the taken branch calls {', '.join(taken['operators'])} outside delegates")
    delegates = [step["delegates"][number] for number in taken["delegates"]]
    for delegate in delegates:
        if delegate["backend"] != BACKEND:
            raise wrong(f"the taken branch calls a delegate of {delegate['backend']}, expected {BACKEND}")
    linears = sum(linear["count"] for linear in learnt_linears(delegates))
    if linears < upper_layers:
        raise wrong(f"the taken branch has {linears} linears in delegates for {upper_layers} upper layers")


def check_labels(step: dict[str, Any], pieces: int, lower_layers: Counter[tuple[int, int]]) -> None:
    inside = step["branches"][0]["taken"]["delegates"]
    outside = [delegate for number, delegate in enumerate(step["delegates"]) if number not in inside]
    found: Counter[tuple[int, int]] = Counter()
    for linear in learnt_linears(outside):
        found[linear["inputs"], linear["outputs"]] += linear["count"]
    for inputs, outputs in found - lower_layers:
        if outputs in (pieces, pieces - 1):
            raise wrong(f"a linear of {outputs} x {inputs}, as labels have, is outside the branch")


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
