"""Lower, then compose: the way to a delegate inside a branch.

`torch.cond` lifts the weights of a branch to operands, and XNNPACK cannot pack operands. So the upper stack is
exported and lowered alone, and the outer program calls the lowered module in its branch. The lower stack goes the same
way for speed: left to the partitioner, new state is cut from its activations in another delegate, and whole
activations travel between the two.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, getitem

import torch
from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import (
    EdgeCompileConfig,
    EdgeProgramManager,
    ExecutorchBackendConfig,
    to_edge_transform_and_lower,
)
from executorch.exir._serialize._named_data_store import NamedDataStoreOutput
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.delegate import executorch_call_delegate
from executorch.exir.lowered_backend_module import LoweredBackendModule
from torch import Tensor, nn
from torch.export import ExportedProgram

from edge_asr.contract import METADATA, STEP, Metadata, sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.model.gate import block_sizes
from edge_asr.model.gated import GatedCtc
from edge_asr.model.streams import lower_example, upper_example
from edge_asr_export.blocks import Blocks
from edge_asr_export.memory import PlanBranchesApart, branches
from edge_asr_export.processes import run_side_by_side
from edge_asr_export.program import StreamingProgram

# The edge dialect's check refuses the delegate call that the outer program meets in its branch.
COMPILE_CONFIG = EdgeCompileConfig(_check_ir_validity=False)


@dataclass(frozen=True)
class Lowered:
    """A block in its lowered form, as what can be pickled: one delegate, which cuts new state to size inside."""

    backend: str  # ExecuTorch's name of the delegate's backend
    content: bytes  # the delegate, without its weights
    specs: list[CompileSpec]  # how it was compiled
    weights: NamedDataStoreOutput | None  # packed, by hash: blocks share what they have in common
    operands: list[int | Tensor]  # what the delegate takes: which of the block's inputs, or a constant
    results: list[int]  # which of the delegate's outputs the block gives
    taken: list[Shape]  # operands, but for their values
    given: list[Shape]  # the delegate's outputs, but for their values


@dataclass(frozen=True)
class Shape:
    """A tensor, but for its values."""

    size: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Shape:
        return cls(tuple(tensor.shape), tensor.dtype)

    def zeros(self) -> Tensor:
        return torch.zeros(self.size, dtype=self.dtype)


class Shapes(nn.Module):
    """What a delegate gives, but for its values: zeros."""

    def __init__(self, given: list[Shape]) -> None:
        super().__init__()
        self.given = given

    def forward(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return tuple(operands[0].new_zeros(shape.size, dtype=shape.dtype) for shape in self.given)


class DelegateCall(nn.Module):
    """A lowered block in place of the block.

    The delegate's original program says no more than the shapes of its outputs: each pass over the program around it
    runs that original program, operator by operator, once for every branch that it lies in and every branch around
    that: minutes, for shapes.
    """

    def __init__(self, lowered: Lowered) -> None:
        super().__init__()
        example = tuple(shape.zeros() for shape in lowered.taken)
        self.delegate = LoweredBackendModule(
            torch.export.export(Shapes(lowered.given), example, strict=True),
            lowered.backend,
            lowered.content,
            lowered.specs,
            lowered.weights,
        )
        self.results = lowered.results
        self.inputs: list[int | None] = []  # of the block, by the delegate's operands; None for a constant
        for number, operand in enumerate(lowered.operands):
            self.inputs.append(operand if isinstance(operand, int) else None)
            if isinstance(operand, Tensor):
                # a gain is a parameter, for which `torch.export` finds no name here
                self.register_buffer(f"constant_{number}", operand.detach())

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        operands = [
            inputs[taken] if taken is not None else getattr(self, f"constant_{number}")
            for number, taken in enumerate(self.inputs)
        ]
        outputs = executorch_call_delegate(self.delegate, *operands)
        return tuple(outputs[number] for number in self.results)


def lower_alone(block: nn.Module, example: tuple[Tensor, ...]) -> Lowered:
    """Export one block and hand all of it to XNNPACK. Raises EdgeAsrError where XNNPACK leaves something of it."""
    exported = torch.export.export(block, example, strict=False)  # what differs is that it is quicker
    edge = to_edge_transform_and_lower(
        {"forward": exported}, partitioner=[XnnpackPartitioner()], compile_config=COMPILE_CONFIG
    )
    module = edge.exported_program().module()
    calls = [node for node in module.graph.nodes if node.op == "call_function" and node.target is not getitem]
    if [call.target for call in calls] != [executorch_call_delegate]:
        left = sorted({str(call.target) for call in calls if call.target is not executorch_call_delegate})
        kind = type(block).__name__
        raise EdgeAsrError(f"{kind} is no single XNNPACK delegate, which leaves {', '.join(left) or 'nothing'}")
    lowered, *operands = calls[0].args
    inputs = [node.name for node in module.graph.nodes if node.op == "placeholder"]
    delegate = attrgetter(lowered.target)(module)
    original = delegate.original_module
    values = {node.name: node.meta.get("val") for node in original.graph.nodes}
    return Lowered(
        backend=delegate.backend_id,
        content=delegate.processed_bytes,
        specs=delegate.compile_specs,
        weights=delegate.named_data_store_output,
        operands=[
            inputs.index(operand.name) if operand.op == "placeholder" else attrgetter(operand.target)(module)
            for operand in operands
        ],
        results=[result.args[1] for result in module.graph.output_node().args[0]],
        taken=[Shape.of(values[name]) for name in original.graph_signature.user_inputs],
        given=[Shape.of(values[name]) for name in original.graph_signature.user_outputs],
    )


def compose(step: ExportedProgram, constants: dict[str, Tensor]) -> EdgeProgramManager:
    """The program around the lowered blocks. What is left in it is tiny: as kernels it costs less than as delegates,
    each of which costs a call and copies of its inputs and outputs."""
    return to_edge_transform_and_lower(
        {STEP: step}, partitioner=[], compile_config=COMPILE_CONFIG, constant_methods=constants
    )


def step_example(encoder: GatedCtc) -> tuple[Tensor, ...]:
    """Inputs of the contract's `step` in their shapes."""
    spec = encoder.spec
    return (
        torch.zeros(1, spec.chunk_frames * spec.frame_samples),
        torch.tensor([spec.chunk_frames]),
        torch.tensor([0.9]),
        torch.tensor([0]),
        torch.tensor([0]),
    )


def lower_blocks(encoder: GatedCtc, progress: Callable[[str], None]) -> tuple[Lowered, ...]:
    """The lower stack's block, then the upper one's of each size: nearly all of the time that an export takes."""
    blocks = Blocks.of(encoder)
    calls = {"the lower stack": partial(lower_alone, blocks.lower, lower_example(encoder))}
    for size, upper in zip(block_sizes(encoder.spec.chunk_frames), blocks.uppers, strict=True):
        calls[f"the upper stack's block of {size} rows"] = partial(lower_alone, upper, upper_example(encoder))

    def tell(done: int) -> None:
        progress(f"lowering the stacks, {done} of {len(calls)} blocks done")

    tell(0)
    trace_patterns()
    return tuple(run_side_by_side(calls, tell).values())


def trace_patterns() -> None:
    """What XNNPACK's passes look for in a graph, they trace once in a process: each fork would do so anew."""
    bilinear_2d.get_graphs()
    sdpa.get_graphs()


def build_program(encoder: GatedCtc, metadata: Metadata, progress: Callable[[str], None]) -> bytes:
    """A (quantized) encoder in eval mode -> the bytes of a `.pte`, trailer included. Takes a minute or more."""
    with quiet(), torch.no_grad():
        lower, *uppers = (DelegateCall(lowered) for lowered in lower_blocks(encoder, progress))
        progress("exporting the program around them")
        program = StreamingProgram(encoder, Blocks(lower, tuple(uppers)))
        step = torch.export.export(program, step_example(encoder), strict=True)
        progress("lowering the program")
        text = torch.tensor(list(metadata.to_json().encode()), dtype=torch.uint8)
        edge = compose(step, constants={METADATA: text})
        pass_state_through(edge.exported_program(STEP))
        progress("planning memory")
        backend = ExecutorchBackendConfig(memory_planning_pass=PlanBranchesApart())
        return sealed(bytes(edge.to_executorch(backend).buffer))


def pass_state_through(program: ExportedProgram) -> None:
    """Where a branch is not taken, hand the state out as it came in instead of cloned: 6 % of a skipping step.

    `torch.cond` forbids outputs that alias inputs; the runtime, which only moves handles at the end of a branch, does
    not mind.
    """
    for _, skipped in branches(program.graph_module):
        for node in list(skipped.graph.nodes):
            if node.op == "call_function" and "clone" in str(node.target) and node.args[0].op == "placeholder":
                node.replace_all_uses_with(node.args[0])
                skipped.graph.erase_node(node)
        skipped.recompile()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what exporters and quantizers say of themselves, which a user cannot act on, off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
