"""Where the tensors of a program lie."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import torch
from executorch.exir.memory_planning import MemoryPlanningAlgorithmSuite
from executorch.exir.passes import MemoryPlanningPass
from torch.export.graph_signature import ExportGraphSignature
from torch.fx import GraphModule


def branches(module: GraphModule) -> list[tuple[GraphModule, GraphModule]]:
    """The sides of each `torch.cond` of a graph, those within them left out."""
    conds = [node for node in module.graph.nodes if node.target is torch.ops.higher_order.cond]
    return [(getattr(module, cond.args[1].target), getattr(module, cond.args[2].target)) for cond in conds]


class PlanBranchesApart(MemoryPlanningPass):
    """ExecuTorch's planning, with state shared by all methods, and with branches that leave each other's results alone.

    A branch hands its results out where they lie, and all branches are given the same memory: what the first of two
    had handed out would be overwritten by the second. So the second begins where the first ends.
    """

    def __init__(self) -> None:
        super().__init__(memory_planning_algo=self.plan, share_mutable_buffers=True)
        self.earlier: list[GraphModule] = []  # sides whose results must survive
        self.whole: GraphModule | None = None  # the program they are in
        self.taken: list[int] = []  # bytes that they take of each arena

    def run(self, graph_module: GraphModule, graph_signature: ExportGraphSignature | None = None) -> Any:
        self.earlier = [side for sides in branches(graph_module)[:-1] for side in sides]
        self.whole, self.taken = graph_module, []
        return super().run(graph_module, graph_signature)

    def plan(
        self, alignment: int, specs: Any, graph_module: GraphModule, graph_signature: Any, extra_padding: int
    ) -> list[int]:
        earlier = graph_module in self.earlier
        if not earlier and graph_module is not self.whole:
            within: Any = graph_module.input_mem_buffer_sizes  # what branches inside it take
            graph_module.input_mem_buffer_sizes = largest(within, self.taken)  # type: ignore[assignment]
        sizes: list[int] = MemoryPlanningAlgorithmSuite()(
            alignment, specs, graph_module, graph_signature, extra_padding
        )
        if earlier:
            self.taken = largest(self.taken, sizes)
        return sizes


def largest(first: list[int], second: list[int]) -> list[int]:
    """Of each pair the larger."""
    return [max(pair) for pair in zip_longest(first, second, fillvalue=0)]
