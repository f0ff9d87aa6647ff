"""Results of one branch outlive the next."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge
from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer
from torch import Tensor, nn

from edge_asr_export.memory import PlanBranchesApart

SIZE = 64


class Branches(nn.Module):
    """Two branches, and one inside the second."""

    def forward(self, x: Tensor, first: Tensor, second: Tensor, inner: Tensor) -> tuple[Tensor, Tensor]:
        def either(low: float, high: float) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
            return lambda x: (x + low) * 2.0, lambda x: (x + high) * 2.0

        a = torch.cond(first, *either(1.0, 2.0), (x,))
        b = torch.cond(
            second,
            lambda x, inner: torch.cond(inner, *either(3.0, 4.0), (x,)) * 1.0,
            lambda x, inner: (x + 5.0) * 2.0,
            (x, inner),
        )
        return a, b


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_the_second_branch_leaves_the_results_of_the_first(first: bool, second: bool, inner: bool) -> None:
    x = torch.arange(SIZE, dtype=torch.float32)
    conditions = [torch.tensor(value) for value in (first, second, inner)]
    exported = torch.export.export(Branches(), (x, *conditions), strict=True)
    edge = to_edge(exported, compile_config=EdgeCompileConfig(_check_ir_validity=False))
    config = ExecutorchBackendConfig(memory_planning_pass=PlanBranchesApart())
    content = bytes(edge.to_executorch(config).buffer)  # the program reads it as long as it lives
    program = _load_for_executorch_from_buffer(content)
    a, b = program.run_method("forward", [x, *conditions])
    assert torch.equal(a, 2 * (x + (1 if first else 2)))
    assert torch.equal(b, 2 * (x + ((3 if inner else 4) if second else 5)))


class StartOrGoOn(nn.Module):
    """Four times SIZE numbers, or zeros in their place; then their sums."""

    def forward(self, starts: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        def zeros(*state: Tensor) -> tuple[Tensor, ...]:
            return tuple(torch.zeros_like(part) for part in state)

        def kept(*state: Tensor) -> tuple[Tensor, ...]:
            return tuple(part.clone() for part in state)

        return tuple(part.sum(dim=0, keepdim=True) for part in torch.cond(starts, zeros, kept, state))


def test_zeros_that_a_branch_hands_out_share_one_place() -> None:
    state = tuple(torch.arange(SIZE, dtype=torch.float32) + number for number in range(4))
    exported = torch.export.export(StartOrGoOn(), (torch.tensor(True), *state), strict=True)
    edge = to_edge(exported, compile_config=EdgeCompileConfig(_check_ir_validity=False))
    planned = edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=PlanBranchesApart()))
    (plan,) = planned.executorch_program.execution_plan
    zeroed = next(i for i, operator in enumerate(plan.operators) if operator.name == "aten::full_like")
    calls = [each.instr_args for chain in plan.chains for each in chain.instructions]
    outputs = [plan.values[call.args[-1]].val for call in calls if getattr(call, "op_index", None) == zeroed]
    assert len(outputs) == len(state)
    assert len({output.allocation_info.memory_offset_low for output in outputs}) == 1
    content = bytes(planned.buffer)
    program = _load_for_executorch_from_buffer(content)
    for starts in (True, False, True):
        sums = program.run_method("forward", [torch.tensor(starts), *state])
        assert [float(part) for part in sums] == [0.0 if starts else float(part.sum()) for part in state]
