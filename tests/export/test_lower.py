"""A block is lowered whole, or refused by what is left of it."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor, nn

from edge_asr.errors import EdgeAsrError
from edge_asr_export.lower import DelegateCall, lower_alone, quiet


class Block(nn.Module):
    """Gives its outputs in another order than they are computed in, and leaves an input out."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("shift", torch.arange(3.0))

    def forward(self, unused: Tensor, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        new_past = torch.cat([past, x], dim=1)[:, 1:]
        return self.linear(x) + self.shift, new_past


class Sorting(Block):
    def forward(self, unused: Tensor, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), torch.sort(past, dim=1).values


EXAMPLE = (torch.zeros(2), torch.ones(1, 1, 4), torch.ones(1, 5, 4))


def test_what_another_process_lowered_has_the_block_s_shapes() -> None:
    with quiet(), torch.no_grad():
        call = DelegateCall(pickle.loads(pickle.dumps(lower_alone(Block().eval(), EXAMPLE))))
        program = torch.export.export(call, EXAMPLE, strict=True)
    outputs = [node.meta["val"].shape for node in program.graph.output_node().args[0]]
    assert outputs == [output.shape for output in Block()(*EXAMPLE)]


def test_what_xnnpack_leaves_is_named() -> None:
    with quiet(), torch.no_grad(), pytest.raises(EdgeAsrError, match=r"Sorting is no single .* leaves .*aten\.sort"):
        lower_alone(Sorting().eval(), EXAMPLE)
