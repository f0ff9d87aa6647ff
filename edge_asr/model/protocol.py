"""What another CTC encoder must offer to take the place of `GatedEncoder` in training and in the exported program.

The cut follows the gate. What always runs is the front end, the subsampling and the lower stack with the intermediate
head; what runs on kept frames only is the upper stack with the final head. The gate itself, the blocks of kept frames,
the merged time line and all state belong to the callers (`edge_asr.model.gate`, `edge_asr_export.program`), not to the
encoder.

Rules that no signature shows:

- **Dimensions.** All are in one `EncoderConfig`, from which `edge_asr_export.program` sizes every state buffer. An
  encoder without, say, a convolution in its layers still has a `kernel`, whose cache it may leave unread; an encoder
  with other state than below needs another `edge_asr_export.blocks.initial_past` and `LayerCaches`.
- **Frames.** An encoder frame is `config.frame_samples` samples, which is `EncoderConfig.SUBSAMPLING` (4) rows of the
  front end; another factor makes that constant a field. F below is a number of whole frames, usually a chunk; `mel` has
  4 F rows. Output frame t may depend on samples of its own chunk and of the past, nothing later.
- **State of the front** is three tails and a level: `front_end.tail_samples` samples, one mel row, one row of the first
  convolution, and one number by which the front end follows how loud the speech is. At the start of a stream they are
  zeros, and zeros must mean silence.
- **State of a layer** is three caches, reached through its `LeftContext` and never stored in the module:
  `left.attention(key, value)` puts the last `left_context_frames` rows of the past before each head's keys and values,
  `left.convolution(rows)` the last `kernel // 2` rows before rows of width features, and as many zeros after them. A
  layer calls each once; in streaming the call also renews the cache. Rows are in the caches' order, so attention sees a
  fixed number of rows and no recurrence over time is possible.
- **Rows that are not real** (the end of a stream, empty slots of an upper block, the time before a stream) have `valid`
  0 and `key_bias` -10 000. They must not change any real row: mask them before a convolution, add the bias to attention
  scores, normalize over features and never over time.
- **Positions** arrive as angles of original frame numbers. Dropped frames leave gaps in them, so a position scheme must
  take any increasing frame numbers (rotary, or relative by difference of numbers), at any hour of a stream.
- **The gate** reads the probability of `config.blank_id` in the intermediate logits; the upper stack must accept
  whatever rows are kept, in blocks of `gate.block_sizes`. A learned gate (`config.gate.learned`) is optional: the lower
  module is a `LearnedGateLowerModule` then, and the gate reads the sigmoid of its `gate_logits` instead.
- **Factorized CTC** (`config.factorized`) is optional. Both heads then give logits in which blank stands against labels
  whose exponentials sum to 1 (`edge_asr.model.heads`), so that losses need not know; and the lower module is a
  `FactorizedLowerModule`, which the exported program asks for blank on every frame and for all else on kept ones.
- **Precision.** Every learnt linear is an `nn.Linear`, which is what `edge_asr_export.quantize` replaces; constants go
  through `functional.linear` or a buffer. Shapes are static under export, and the stacks use only operators that
  XNNPACK takes (`edge_asr.model.layers` lists the traps), or the upper stack falls apart into portable kernels, which
  `edge_asr_export.structure` refuses.

How known encoders map, and what must be rewritten:

- **Hugging Face Wav2Vec2ForCTC.** Front end and subsampling: the convolutional feature encoder on raw samples, 20 ms
  frames; its group norm over the whole utterance must become a causal one (the layer-norm variant of the large models
  is per frame already), and `mel` becomes the output of its first layers, each of which needs a tail. Its positional
  convolution of 128 frames looks 64 ahead: cut to the chunk and retrained, or replaced by rotary angles. Lower: the
  first few transformer layers with a new intermediate `lm_head`, fine-tuned with `edge_asr.model.losses`. Upper: the
  rest with the trained `lm_head`. Attention over the whole utterance must become attention over chunk and left context
  through `LeftContext`; that changes results, so fine-tune. Layer norm over features lowers to several delegates.
- **Parakeet CTC (FastConformer).** Front end: its own log-mel of 80 bands, whose per-utterance normalization must
  become fixed statistics. Subsampling by 8 (three stride-2 depth-wise separable convolutions, 80 ms frames): made
  causal, one more tail. Layers: feed-forward, attention, convolution, feed-forward map onto one layer's caches as
  they are; relative positional attention with its Transformer-XL shift must be written for frame numbers with gaps or
  replaced by rotary angles; batch norm after the depth-wise convolution folds into it. Cache-aware streaming
  checkpoints need less retraining than those trained on full context. Blank is the last id: `blank_id` says so.
- **Zipformer or Emformer** keep other state (several rates; memory banks) and need their own `LayerCaches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from edge_asr.model.config import EncoderConfig
from edge_asr.model.layers import LeftContext

if TYPE_CHECKING:
    from edge_asr.model.encoder import EncoderOutput, GatedEncoder, LowerStack


class FrontEndModule(Protocol):
    """An `nn.Module` from samples to feature rows, in two parts: row t ends with hop t."""

    def spectrum(self, samples: Tensor) -> Tensor:
        """float32 [N, tail_samples + n * hop_samples] -> [N, n, fft_size + 2]: what no delegate takes. It runs outside
        of them, so keep it small; a front end without a Fourier transform only cuts the samples into rows here."""

    def log_mel(self, spectrum: Tensor, valid: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk: [N, n, fft_size + 2], its real frames [N, F, 1], the level so far [N, 1, 1]
        -> [N, n, mels], the level. It is exported with the lower stack."""


class SubsamplingModule(Protocol):
    """An `nn.Module` from feature rows to encoder frames."""

    @property
    def bands(self) -> list[int]:
        """Frequency bands before the first convolution, after it, and after the second."""

    def forward(self, mel: Tensor, mel_tail: Tensor, first_tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """mel [N, 4 F, mels], mel_tail [N, 1, mels], first_tail [N, subsampling_channels, 1, bands[1]]
        -> frames [N, F, lower width] and the two tails for the next chunk."""


class PositionModule(Protocol):
    """An `nn.Module` from frame numbers to what tells a layer about them."""

    def forward(self, frame_index: Tensor) -> tuple[Tensor, Tensor]:
        """int64 [N, F], increasing, with gaps -> cos and sin, each float32 [N, F, 1, head width], the latter
        with the sign of its feature (`encoder.Rotary`)."""


class LowerModule(Protocol):
    """An `nn.Module` that runs on every frame: lower stack and intermediate head."""

    def forward(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """x [N, F, lower width], valid [N, F, 1], key_bias [N, 1, left + F], one left context a layer
        -> intermediate logits [N, F, vocabulary] and the rows handed to the upper stack [N, F, lower width]."""


class FactorizedLowerModule(LowerModule, Protocol):
    """A lower module whose blank can be told without its labels. `forward` is `hand_over` of `hidden`."""

    def hidden(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """As `forward` -> rows [N, F, lower width], which wait for the upper stack."""

    def blank_probability(self, hidden: Tensor) -> Tensor:
        """Rows of `hidden` -> [N, F, 1]."""

    def hand_over(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of `hidden`, kept ones with gaps between -> as `forward`, each row by itself. It is exported with the
        upper stack."""


class LearnedGateLowerModule(LowerModule, Protocol):
    """A lower module with a head for the gate. `forward` is `hand_over` of `hidden`."""

    def hidden(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """As `forward` -> rows [N, F, lower width]."""

    def hand_over(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of `hidden` -> as `forward`, each row by itself."""

    def gate_logits(self, hidden: Tensor) -> Tensor:
        """Rows of `hidden` -> [N, F, 1]; a frame whose sigmoid is above the threshold is skipped."""


class UpperModule(Protocol):
    """An `nn.Module` that runs on blocks of kept frames: upper stack and final head. It is exported by itself."""

    def forward(
        self, handed: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """handed [N, F, lower width], the rest as for `LowerModule` -> final logits [N, F, vocabulary]."""


class StreamableEncoder(Protocol):
    """What `edge_asr_export.program.StreamingProgram` composes. Modules are called: hooks and `torch.export` see them."""

    @property
    def config(self) -> EncoderConfig: ...
    @property
    def front_end(self) -> FrontEndModule: ...
    @property
    def subsampling(self) -> SubsamplingModule: ...
    @property
    def lower(self) -> LowerModule: ...
    @property
    def lower_rotary(self) -> PositionModule: ...
    @property
    def upper(self) -> UpperModule: ...
    @property
    def upper_rotary(self) -> PositionModule: ...


class TrainableEncoder(StreamableEncoder, Protocol):
    """What training calls besides: whole utterances, all chunks at once, with the same result as the stream."""

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """float32 [N, S], of which `frames` int64 [N] are real, in chunks -> rows of the front end
        [N, S / hop_samples, mels], silence before the first sample."""

    def forward(
        self,
        mel: Tensor,
        frames: Tensor,
        thresholds: Tensor,
        chunk_frames: int,
        gate: bool = True,
        with_middle: bool = False,
        skipped: str = "blank",
    ) -> EncoderOutput:
        """mel [N, 4 T, mels], frames int64 [N], thresholds float32 [N]; a skipped frame is blank on the final line, or
        what the intermediate head says where `skipped` asks for that."""


if TYPE_CHECKING:

    def gated_encoder_satisfies_it(encoder: GatedEncoder) -> TrainableEncoder:
        return encoder

    def lower_stack_satisfies_it(lower: LowerStack) -> FactorizedLowerModule:
        return lower

    def lower_stack_may_have_a_learned_gate(lower: LowerStack) -> LearnedGateLowerModule:
        return lower
