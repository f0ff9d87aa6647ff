"""The structure check passes our files and names what is wrong in others."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge
from torch import Tensor, nn

from edge_asr.errors import EdgeAsrError
from edge_asr.model.encoder import GatedEncoder
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.structure import check_structure, is_heavy

Report = dict[str, Any]

START, LOWER, UPPER, SIZE = range(
    4
)  # the branches of a step, of which there is one for each size of block but the last
LARGEST = -1


@pytest.fixture(scope="module")
def int8_report(int8_pte: Path) -> Report:
    return inspect_pte(int8_pte)


@pytest.mark.slow
def test_our_files_pass(int8_report: Report, fp32_pte: Path) -> None:
    check_structure(int8_report, "int8")
    check_structure(inspect_pte(fp32_pte), "fp32")


@pytest.mark.slow
def test_a_skipping_step_makes_no_angles_for_the_upper_stack(int8_report: Report) -> None:
    step = int8_report["methods"]["step"]
    assert step["operators"]["aten::cos.out"] == 2  # one for the lower stack, which runs on every step
    assert step["branches"][UPPER]["taken"]["operators"]["aten::cos.out"] == 1


@pytest.mark.slow
def test_a_branch_that_was_not_lowered_first_is_refused(tmp_path: Path) -> None:
    """The obvious export: it runs, and its branch is all portable kernels."""

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.upper = nn.Linear(8, 8)

        def forward(self, x: Tensor, run: Tensor) -> Tensor:
            return torch.cond(run[0], self.upper, lambda rows: rows.clone(), (x,)) + 1.0

    program = torch.export.export(Step(), (torch.zeros(1, 8), torch.tensor([True])), strict=True)
    path = tmp_path / "trap.pte"
    path.write_bytes(to_edge({"step": program}).to_backend(XnnpackPartitioner()).to_executorch().buffer)
    report = inspect_pte(path)
    assert len(report["methods"]["step"]["branches"]) == 1
    with pytest.raises(EdgeAsrError, match=r"aten::(linear|addmm|mm)\S* of step is left to a portable"):
        check_structure(report, "fp32")


def one_size_less(report: Report) -> None:
    report["methods"]["step"]["branches"].pop()


def no_branch(report: Report) -> None:
    report["methods"]["step"]["branches"] = []


def loop(report: Report) -> None:
    report["methods"]["step"]["loops"] = 1


def no_step(report: Report) -> None:
    report["methods"]["forward"] = report["methods"].pop("step")


def kernel_in_branch(report: Report) -> None:
    report["methods"]["step"]["branches"][LARGEST]["taken"]["operators"] = {"aten::mul.out": 1}


def kernel_around_the_sizes(report: Report) -> None:
    report["methods"]["step"]["branches"][UPPER]["taken"]["operators"]["aten::add.out"] = 1


def empty_branch(report: Report) -> None:
    report["methods"]["step"]["branches"][LARGEST]["taken"]["delegates"] = []


def empty_small_block(report: Report) -> None:
    report["methods"]["step"]["branches"][SIZE]["not_taken"]["delegates"] = []


def upper_outside_the_branch(report: Report) -> None:
    """The branch keeps a delegate, but one without linears."""
    step = report["methods"]["step"]
    step["branches"][LARGEST]["taken"]["delegates"] = [
        number for number, delegate in enumerate(step["delegates"]) if not delegate["linears"]
    ]


def lower_outside_its_branch(report: Report) -> None:
    report["methods"]["step"]["branches"][LOWER]["taken"]["delegates"] = []


def size_outside_the_upper_branch(report: Report) -> None:
    branches = report["methods"]["step"]["branches"]
    branches[SIZE]["instruction"] = branches[UPPER]["not_taken"]["instructions"]["end"]


def delegate_when_not_taken(report: Report) -> None:
    report["methods"]["step"]["branches"][UPPER]["not_taken"]["delegates"] = [0]


def other_backend(report: Report) -> None:
    step = report["methods"]["step"]
    step["delegates"][step["branches"][LARGEST]["taken"]["delegates"][0]]["backend"] = "VulkanBackend"


def matmul_in_another_method(report: Report) -> None:
    report["methods"]["metadata"]["operators"]["aten::bmm.out"] = 1


def copies_where_a_stream_goes_on(report: Report) -> None:
    report["methods"]["step"]["branches"][START]["not_taken"]["operators"]["aten::clone.out"] = 1


def delegate_where_a_stream_starts(report: Report) -> None:
    report["methods"]["step"]["branches"][START]["taken"]["delegates"] = [0]


def float_linear(report: Report) -> None:
    for delegate in report["methods"]["step"]["delegates"]:
        for linear in delegate["linears"]:
            if (linear["inputs"], linear["outputs"]) == (32, 96):  # query, key, value of the lower layer
                linear["datatype"] = "float32"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("doctor", "reason"),
    [
        (one_size_less, "5 run-time branches and 0 loops, expected 6 and 0"),
        (size_outside_the_upper_branch, "lies outside the branch of the upper stack"),
        (lower_outside_its_branch, "lower stack has 0 linears in delegates for 1 layers"),
        (no_branch, "0 run-time branches"),
        (loop, "1 loops"),
        (no_step, "no method step"),
        (kernel_in_branch, r"branch of the upper stack calls aten::mul\.out"),
        (kernel_around_the_sizes, r"branch of the upper stack calls aten::add\.out"),
        (empty_branch, "upper stack has 0 linears in delegates for 2 layers"),
        (empty_small_block, "upper stack has 0 linears in delegates for 2 layers"),
        (upper_outside_the_branch, "upper stack has 0 linears in delegates for 2 layers"),
        (delegate_when_not_taken, "skips the upper stack calls a delegate"),
        (other_backend, "VulkanBackend"),
        (matmul_in_another_method, r"aten::bmm\.out of metadata"),
        (copies_where_a_stream_goes_on, r"branch that starts a stream calls aten::clone\.out"),
        (delegate_where_a_stream_starts, "branch that starts a stream calls a delegate"),
        (float_linear, "linear of 96 x 32 has float32 weights, expected qcint8"),
    ],
)
def test_what_is_wrong_is_named(int8_report: Report, doctor: Callable[[Report], None], reason: str) -> None:
    report = copy.deepcopy(int8_report)
    doctor(report)
    with pytest.raises(EdgeAsrError, match=reason):
        check_structure(report, "int8")


@pytest.mark.slow
def test_the_precision_must_be_the_stated_one(int8_report: Report) -> None:
    with pytest.raises(EdgeAsrError, match="metadata says int8, expected fp32"):
        check_structure(int8_report, "fp32")
    unstated = int8_report | {"metadata": None}
    with pytest.raises(EdgeAsrError, match="qcint8 weights, expected float32"):
        check_structure(unstated, "fp32")
    with pytest.raises(EdgeAsrError, match="no linear has int4 weights"):
        check_structure(unstated, "int4")


@pytest.fixture(scope="module")
def factorized_report(factorized_int8_pte: Path) -> Report:
    return inspect_pte(factorized_int8_pte)


@pytest.mark.slow
def test_labels_of_a_factorized_file_are_in_the_branch_only(
    factorized_report: Report, factorized_encoder: GatedEncoder, factorized_fp32_pte: Path
) -> None:
    layers = factorized_encoder.always_run()
    assert layers == {(80, 32): 1, (32, 96): 1, (32, 32): 2, (32, 64): 1, (32, 128): 1, (128, 32): 1}
    check_structure(factorized_report, "int8", layers)
    check_structure(inspect_pte(factorized_fp32_pte), "fp32", layers)
    step = factorized_report["methods"]["step"]
    uppers = step["branches"][UPPER]["taken"]["delegates"]
    shapes = [
        {(linear["inputs"], linear["outputs"]) for linear in delegate["linears"] if not linear["sums_squares"]}
        for delegate in step["delegates"]
    ]
    assert len(uppers) == 4
    for upper in uppers:
        assert {(32, 11), (32, 1), (12, 32), (48, 11), (48, 1)} <= shapes[upper]
    (lower,) = [shape for number, shape in enumerate(shapes) if number not in uppers and shape]
    assert lower == {*layers, (32, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [11, 12])
def test_labels_outside_the_branch_are_refused(
    factorized_report: Report, int8_report: Report, factorized_encoder: GatedEncoder, outputs: int
) -> None:
    layers = factorized_encoder.always_run()
    report = copy.deepcopy(factorized_report)
    step = report["methods"]["step"]
    inside = step["branches"][UPPER]["taken"]["delegates"]
    lower = next(d for number, d in enumerate(step["delegates"]) if d["linears"] and number not in inside)
    lower["linears"].append({"inputs": 32, "outputs": outputs, "datatype": "qcint8", "sums_squares": False, "count": 1})
    with pytest.raises(EdgeAsrError, match=f"a linear of {outputs} x 32, as labels have, is outside the branch"):
        check_structure(report, "int8", layers)
    with pytest.raises(EdgeAsrError, match="a linear of 12 x 32, as labels have"):
        check_structure(int8_report, "int8", layers)  # a file whose heads are not factorized


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [32, 33, 96, 97])
def test_layers_with_as_many_outputs_as_labels_are_not_taken_for_them(
    factorized_report: Report, factorized_encoder: GatedEncoder, pieces: int
) -> None:
    layers = factorized_encoder.always_run()
    report = copy.deepcopy(factorized_report)
    report["metadata"]["pieces"] = ["A"] * pieces
    check_structure(report, "int8", layers)
    fewer = layers - Counter({(32, 32): 1, (32, 96): 1})
    with pytest.raises(EdgeAsrError, match="as labels have"):
        check_structure(report, "int8", fewer)


@pytest.mark.parametrize(
    "operator",
    [
        "aten::mm.out",
        "aten::bmm.out",
        "aten::addmm.out",
        "aten::baddbmm.out",
        "aten::linear.out",
        "aten::matmul.out",
        "aten::mv.out",
        "aten::convolution.out",
        "aten::conv2d.out",
        "aten::_conv_depthwise2d.out",
        "aten::scaled_dot_product_attention",
        "torchao::linear_8da4w",
        "cadence::quantized_linear.out",
        "cadence::quantized_conv2d_nchw.out",
    ],
)
def test_heavy_operators(operator: str) -> None:
    assert is_heavy(operator)


@pytest.mark.parametrize(
    "operator",
    [
        "aten::cumsum.out",
        "aten::_fft_r2c.out",
        "aten::comma.out",
        "aten::upsample_bilinear2d.vec_out",
        "aten::_convert_indices_from_csr_to_coo.out",
        "dim_order_ops::_to_dim_order_copy.out",
        "aten::mul.out",
    ],
)
def test_light_operators(operator: str) -> None:
    assert not is_heavy(operator)
