"""Where the tensors of a program lie."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import torch
from executorch.exir.memory_planning import MemoryPlanningAlgorithmSuite
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.tensor import TensorSpec
from torch.export.graph_signature import ExportGraphSignature
from torch.fx import GraphModule, Node

ZEROS = {torch.ops.aten.full.out, torch.ops.aten.full_like.out}


def branches(module: GraphModule) -> list[tuple[GraphModule, GraphModule]]:
    """The sides of each `torch.cond` of a graph, those within them left out."""
    conds = [node for node in module.graph.nodes if node.target is torch.ops.higher_order.cond]
    return [(getattr(module, cond.args[1].target), getattr(module, cond.args[2].target)) for cond in conds]


class PlanBranchesApart(MemoryPlanningPass):
    """ExecuTorch's planning, with branches that leave each other's results alone.

    A branch hands its results out where they lie, and all branches are given the same memory: what the first had handed
    out would be overwritten by the second. So each begins where those before it end.
    """

    def __init__(self) -> None:
        super().__init__(memory_planning_algo=self.plan)
        self.whole: GraphModule | None = None  # the program that the branches are in
        self.sides: list[tuple[GraphModule, GraphModule]] = []  # of each branch, in order
        self.taken: list[list[int]] = []  # bytes of each arena up to the end of each branch

    def run(self, graph_module: GraphModule, graph_signature: ExportGraphSignature | None = None) -> Any:
        self.whole, self.sides = graph_module, branches(graph_module)
        self.taken = [[] for _ in self.sides]
        return super().run(graph_module, graph_signature)

    def plan(
        self, alignment: int, specs: Any, graph_module: GraphModule, graph_signature: Any, extra_padding: int
    ) -> list[int]:
        number = next((i for i, sides in enumerate(self.sides) if graph_module in sides), None)
        if graph_module is not self.whole:
            within: Any = graph_module.input_mem_buffer_sizes  # what branches inside it take
            before = self.before(number)
            graph_module.input_mem_buffer_sizes = largest(within, before)  # type: ignore[assignment]
            specs = results_within(graph_module, specs)
        sizes: list[int] = MemoryPlanningAlgorithmSuite()(
            alignment, specs, graph_module, graph_signature, extra_padding
        )
        if number is not None:
            sizes = share_zeros(graph_module, specs, sizes)
            self.taken[number] = largest(self.taken[number], sizes)
        return sizes

    def before(self, number: int | None) -> list[int]:
        """Bytes of each arena that the branches before this one take; of a graph inside a branch, which is planned
        before the graph around it, those of all branches planned so far."""
        taken: list[int] = []
        for sizes in self.taken[:number]:
            taken = largest(taken, sizes)
        return taken


def results_within(side: GraphModule, specs: Iterable[TensorSpec]) -> list[TensorSpec]:
    """Of all that a side of a branch holds, what it makes itself."""
    given = {id(node.meta["spec"]) for node in side.graph.nodes if node.op == "placeholder"}
    return [spec for spec in specs if id(spec) not in given]


def share_zeros(side: GraphModule, specs: Iterable[TensorSpec], sizes: list[int]) -> list[int]:
    """Move what this side of a branch fills with zeros to one place, where it does nothing else. `specs` are of all
    that it plans, `sizes` the bytes of each arena so far -> those that are left."""
    zeros = [node.meta["spec"] for node in side.graph.nodes if is_zeros(node)]
    if not zeros or {id(spec) for spec in specs} != {id(spec) for spec in zeros}:
        return sizes
    left = list(sizes)
    for arena in {spec.mem_id for spec in zeros}:
        here = [spec for spec in zeros if spec.mem_id == arena]
        first = min(spec.mem_offset for spec in here)
        for spec in here:
            spec.mem_offset = first
        left[arena] = first + max(spec.allocated_memory for spec in here)
    return left


def is_zeros(node: Node) -> bool:
    return node.op == "call_function" and node.target in ZEROS and not node.args[1]


def largest(first: list[int], second: list[int]) -> list[int]:
    """Of each pair the larger."""
    return [max(pair) for pair in zip_longest(first, second, fillvalue=0)]
