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

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import (
    EdgeCompileConfig,
    EdgeProgramManager,
    ExecutorchBackendConfig,
    to_edge_transform_and_lower,
)
from executorch.exir.lowered_backend_module import LoweredBackendModule
from torch import Tensor, nn
from torch.export import ExportedProgram

from edge_asr.contract import METADATA, RESET, STEP, Metadata, sealed
from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gate import block_sizes
from export.memory import PlanBranchesApart, branches
from export.program import Blocks, LowerBlock, Reset, StreamingProgram, UpperBlock, initial_past

# The edge dialect's check refuses the delegate call that the outer program meets in its branch.
COMPILE_CONFIG = EdgeCompileConfig(_check_ir_validity=False)


class Shapes(nn.Module):
    """What a delegate gives, but for its values: zeros."""

    def __init__(self, outputs: list[Tensor]) -> None:
        super().__init__()
        self.outputs = [(tuple(output.shape), output.dtype) for output in outputs]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(inputs[0].new_zeros(shape, dtype=dtype) for shape, dtype in self.outputs)


def lower_alone(block: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
    """One block as a module that is a delegate call: new state is cut to size inside the delegate."""
    exported = torch.export.export(block, example, strict=False)  # what differs is that it is quicker
    edge = to_edge_transform_and_lower(
        {"forward": exported}, partitioner=[XnnpackPartitioner()], compile_config=COMPILE_CONFIG
    )
    module = edge.exported_program().module()
    for name, child in list(module.named_children()):
        if isinstance(child, LoweredBackendModule):
            setattr(module, name, with_shapes_only(child))
    return module


def with_shapes_only(delegate: LoweredBackendModule) -> LoweredBackendModule:
    """The same delegate, whose original program says no more than the shapes of its outputs.

    Each pass over the program around it runs that original program, operator by operator, once for every branch that
    it lies in and every branch around that: minutes, for shapes.
    """
    original = delegate.original_module
    values = {node.name: node.meta.get("val") for node in original.graph.nodes}
    inputs, outputs = (
        [values[name] for name in names]
        for names in (original.graph_signature.user_inputs, original.graph_signature.user_outputs)
    )
    example = tuple(torch.zeros(value.shape, dtype=value.dtype) for value in inputs)
    return LoweredBackendModule(
        torch.export.export(Shapes(outputs), example, strict=True),
        delegate.backend_id,
        delegate.processed_bytes,
        delegate.compile_specs,
        delegate.named_data_store_output,
    )


def compose(programs: dict[str, ExportedProgram], constants: dict[str, Tensor]) -> EdgeProgramManager:
    """The programs around the lowered blocks. What is left in them is tiny: as kernels it costs less than as delegates,
    each of which costs a call and copies of its inputs and outputs."""
    return to_edge_transform_and_lower(
        programs, partitioner=[], compile_config=COMPILE_CONFIG, constant_methods=constants
    )


def stack_example(config: EncoderConfig, stack: StackConfig, rows: int) -> tuple[Tensor, ...]:
    """What both blocks take after their rows, in their shapes: valid, cos, sin, past."""
    angles = torch.ones(1, rows, 1, stack.head_width) if stack.attention else torch.zeros(1, config.chunk_frames, 1, 1)
    return (torch.ones(1, rows, 1), angles, angles.clone(), *initial_past(stack, config.left_context_frames))


def lower_example(encoder: GatedEncoder) -> tuple[Tensor, ...]:
    """Inputs of `LowerBlock` in their shapes."""
    config = encoder.config
    return (
        torch.zeros(1, config.chunk_frames * config.SUBSAMPLING, config.front_end.fft_size + 2),
        torch.zeros(1, 1, config.front_end.mels),
        torch.zeros(1, config.subsampling_channels, 1, encoder.subsampling.bands[1]),
        *stack_example(config, config.lower, config.chunk_frames),
    )


def upper_example(encoder: GatedEncoder) -> tuple[Tensor, ...]:
    """Inputs of `UpperBlock` in their shapes."""
    config = encoder.config
    rows = block_sizes(config.chunk_frames)[-1]
    return (torch.zeros(1, rows, config.lower.width), *stack_example(config, config.upper, rows))


def step_example(encoder: GatedEncoder) -> tuple[Tensor, ...]:
    """Inputs of the contract's `step` in their shapes."""
    config = encoder.config
    samples = config.chunk_frames * config.frame_samples
    return (
        torch.zeros(1, samples),
        torch.tensor([config.chunk_frames]),
        torch.tensor([0.9]),
        torch.tensor([0]),
    )


def build_program(encoder: GatedEncoder, metadata: Metadata, progress: Callable[[str], None]) -> bytes:
    """A (quantized) encoder in eval mode -> the bytes of a `.pte`, trailer included. Takes a minute or more."""
    with quiet(), torch.no_grad():
        progress("lowering the lower stack")
        lowered_lower = lower_alone(LowerBlock(encoder), lower_example(encoder))
        progress("lowering the upper stack")
        example = upper_example(encoder)
        uppers = tuple(
            lower_alone(UpperBlock(encoder, size), example) for size in block_sizes(encoder.config.chunk_frames)
        )
        progress("exporting the program around them")
        program = StreamingProgram(encoder, Blocks(lowered_lower, uppers))
        step = torch.export.export(program, step_example(encoder), strict=True)
        reset = torch.export.export(Reset(program), (torch.zeros(1),), strict=True)
        progress("lowering the program")
        text = torch.tensor(list(metadata.to_json().encode()), dtype=torch.uint8)
        edge = compose({STEP: step, RESET: reset}, constants={METADATA: text})
        pass_state_through(edge.exported_program(STEP))
        progress("planning memory")
        backend = ExecutorchBackendConfig(memory_planning_pass=PlanBranchesApart())
        return sealed(bytes(edge.to_executorch(backend).buffer))


def pass_state_through(program: ExportedProgram) -> None:
    """Where a branch is not taken, hand the caches out as they came in instead of cloned: 6 % of a skipping step.

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
    """Keep the exporters' warnings, which a user cannot act on, off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
