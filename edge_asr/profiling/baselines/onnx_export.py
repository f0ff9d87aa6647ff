"""The same weights for ONNX Runtime, without the gate: what the `.pte` is compared with.

`UngatedStep` is `StreamingProgram` with a threshold that never skips: every chunk runs the lower and then the upper
stack, so nothing waits and nothing branches. It reuses `StreamedLower` and `StreamedUpper`, takes its state as inputs
and gives it back as outputs. What ONNX Runtime has a faster way for is said in its way, so that the comparison is fair:
RMS norm is one operator of its own, and framing, window and Fourier transform are one strided convolution, as its DFT
operator takes 0.3 ms longer a step.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.front_end import FrontEnd
from edge_asr.model.layers import RMSNorm
from edge_asr.profiling.baselines.onnxruntime import METADATA_KEY, OnnxBackend, state_output
from edge_asr_export.build import describe, with_chunk
from edge_asr_export.eager import EagerBackend
from edge_asr_export.lower import quiet
from edge_asr_export.verify import FP32_TOLERANCE, stream_steps, verification_audio

OPSET = 23


class UngatedStep(nn.Module):
    """One chunk in, log probabilities of the final head out; a pure function of samples and state."""

    fourier: Tensor

    def __init__(self, encoder: GatedEncoder) -> None:
        super().__init__()
        encoder = copy.deepcopy(encoder)
        replace_norms(encoder)
        self.config = encoder.config
        self.front_end = encoder.front_end
        self.register_buffer("fourier", fourier_filters(encoder.front_end), persistent=False)
        self.lower_rotary = encoder.lower_rotary if self.config.lower.attention else None
        self.lower = encoder.streamed_lower()
        self.upper_positions = encoder.streamed_positions()
        self.upper = encoder.streamed_upper()
        self.state = {
            **encoder.outside_state(),
            "next_frame": torch.zeros(1, dtype=torch.int64),
            **encoder.lower_state(),
            **encoder.upper_state(),
        }
        self.of_lower = len(encoder.lower_state())

    def initial_state(self) -> dict[str, Tensor]:
        """Zeros, by name, in the order in which `forward` takes and gives them."""
        return dict(self.state)

    def forward(
        self, pcm: Tensor, frames: Tensor, samples_tail: Tensor, next_frame: Tensor, *state: Tensor
    ) -> tuple[Tensor, ...]:
        """pcm [1, chunk_samples], frames int64 [1], state -> log probabilities [F, V], the new state."""
        chunk = torch.arange(self.config.chunk_frames)
        rows = (chunk < frames).to(torch.float32).reshape(1, -1, 1)
        index = (next_frame + chunk).unsqueeze(0)
        samples = torch.cat([samples_tail, pcm], dim=1)
        angles = self.lower_rotary(index) if self.lower_rotary is not None else ()
        lower_state, upper_state = state[: self.of_lower], state[self.of_lower :]
        _, _, handed, *lower_state = self.lower(self.spectrum(samples), *angles, rows, *lower_state)
        final, *upper_state = self.upper(handed.unsqueeze(0), rows, *self.upper_positions(index), *upper_state)
        samples_tail = samples[:, samples.shape[1] - samples_tail.shape[1] :]
        return (final, samples_tail, next_frame + frames, *lower_state, *upper_state)

    def spectrum(self, samples: Tensor) -> Tensor:
        """As `FrontEnd.spectrum`."""
        hop = self.config.front_end.hop_samples
        return functional.conv1d(samples.unsqueeze(1), self.fourier, stride=hop).permute(0, 2, 1)


class FusedRMSNorm(nn.Module):
    """`RMSNorm` as one operator, which ONNX Runtime has and XNNPACK has not."""

    gain: Tensor

    def __init__(self, norm: RMSNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.register_buffer("gain", torch.ones(norm.mean.shape[1]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, list(self.gain.shape), self.gain, self.eps)


def replace_norms(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, RMSNorm):
            setattr(module, name, FusedRMSNorm(child))
        else:
            replace_norms(child)


def fourier_filters(front_end: FrontEnd) -> Tensor:
    """Window and real Fourier transform as filters: float32 [fft_size + 2, 1, window_samples]."""
    config = front_end.config
    samples = torch.arange(config.window_samples, dtype=torch.float64)
    bins = torch.arange(config.fft_size // 2 + 1, dtype=torch.float64)
    angles = bins[:, None] * samples * (2 * math.pi / config.fft_size)
    both = torch.stack([torch.cos(angles), -torch.sin(angles)], dim=1).flatten(0, 1)
    return (both * front_end.window.double()).float().unsqueeze(1)


def export_onnx(
    checkpoint: Path, output: Path, *, chunk_ms: int | None = None, progress: Callable[[str], None] | None = None
) -> None:
    """In fp32; verified against eager PyTorch before the file gets its name. Half a minute.

    Raises EdgeAsrError for an unfit checkpoint or chunk, and where the check fails; no file is left behind then.
    """
    tell = progress or (lambda _: None)
    loaded = with_chunk(load_checkpoint(checkpoint), chunk_ms)
    encoder = our_encoder(checkpoint, loaded).requires_grad_(False).eval()
    metadata = describe(loaded, checkpoint, "fp32")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        partial = Path(folder, output.name)
        tell("tracing for ONNX")
        with quiet():
            model = traced(UngatedStep(encoder).eval())
        onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
        onnx.save(model, partial)
        tell("verifying")
        verify(OnnxBackend(partial), EagerBackend(encoder, metadata))
        partial.replace(output)


def quantize_onnx(source: Path, checkpoint: Path, output: Path) -> None:
    """`export_onnx`'s file, made of this checkpoint, in int8. Raises EdgeAsrError."""
    encoder = our_encoder(checkpoint, load_checkpoint(checkpoint))
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        partial = Path(folder, output.name)
        quantize(source, partial, encoder)
        model = onnx.load(partial)
        metadata = dataclasses.replace(OnnxBackend(source).metadata, precision="int8")
        onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
        onnx.save(model, partial)
        partial.replace(output)


def our_encoder(path: Path, checkpoint: Checkpoint) -> GatedEncoder:
    if not isinstance(checkpoint.model, GatedEncoder):
        architecture = checkpoint.model.architecture
        raise EdgeAsrError(f"{path}: no ONNX file is made of {architecture} models, only of ours")
    return checkpoint.model


def traced(step: UngatedStep) -> Any:
    """-> onnx.ModelProto. Inputs: pcm, frames, state by name. Outputs: final, state by `state_output`."""
    state = step.initial_state()
    pcm = torch.zeros(1, step.config.chunk_frames * step.config.frame_samples)
    program = torch.onnx.export(
        step,
        (pcm, torch.tensor([step.config.chunk_frames]), *state.values()),
        dynamo=True,
        opset_version=OPSET,
        input_names=["pcm", "frames", *state],
        output_names=["final", *map(state_output, state)],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # where in the Python sources it came from: half a megabyte
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return model


def verify(tested: OnnxBackend, reference: EagerBackend) -> None:
    """Log probabilities of a whole stream with a pause and a partial chunk. Raises EdgeAsrError over the tolerance."""
    samples = verification_audio(reference.metadata.sample_rate_hz)[:-1_000]
    worst = 0.0
    steps = (stream_steps(backend, samples, NEVER_SKIP) for backend in (tested, reference))
    for (_, ours), (_, theirs) in zip(*steps, strict=True):
        worst = max(worst, float(np.abs(ours.final - theirs.final).max(initial=0.0)))
    if not worst <= FP32_TOLERANCE:
        raise EdgeAsrError(f"the ONNX file differs from eager PyTorch by {worst:.2g}, over {FP32_TOLERANCE:g}")


def quantize(source: Path, output: Path, encoder: GatedEncoder) -> None:
    """Dynamic int8, per output channel, of the layers that are int8 in the `.pte`: every `nn.Linear` and nothing else.

    Of what was tried this is also its fastest way (2.0 ms a step of the shipped model): int8 convolutions as well take
    3.6 ms, and 8-bit `MatMulNBits` with int8 arithmetic 3.5 ms.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source).graph
    constants = {constant.name: constant for constant in graph.initializer}
    weights = [layer.weight.detach().numpy().T for layer in encoder.modules() if isinstance(layer, nn.Linear)]

    def is_linear(node: Any) -> bool:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in constants:
            return False
        constant = onnx.numpy_helper.to_array(constants[node.input[1]])
        return any(np.array_equal(constant, weight) for weight in weights)

    names = [node.name for node in graph.node if is_linear(node)]
    if len(names) != len(weights):
        raise EdgeAsrError(f"{len(names)} of {len(weights)} linear layers were found in the ONNX file: report it")
    with quiet():
        quantize_dynamic(
            source,
            output,
            nodes_to_quantize=names,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
