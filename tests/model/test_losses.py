"""The training objective on examples whose answer is known."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import SKIPPED_LOG_PROB, EncoderOutput
from edge_asr.model.losses import (
    DIVERGENCES,
    consistency,
    ctc_per_token,
    distillation,
    flat_start,
    gate_cross_entropy,
    uniform_alignment,
    without_blank,
)
from edge_asr.training.config import DISTILLATIONS, SKIPPED
from tests.model.conftest import SMALL

BLANK = 0


def output_of(intermediate: Tensor, final: Tensor, keep: Tensor) -> EncoderOutput:
    frames = torch.full((intermediate.shape[0],), intermediate.shape[1])
    return EncoderOutput(frames, intermediate, final, keep, handed=torch.zeros(*keep.shape, 8))


def brute_force_ctc(log_probs: Tensor, target: list[int]) -> float:
    """-log of the probability of all paths [T, V] that collapse to the target, by listing them."""
    frames, vocabulary = log_probs.shape
    total = 0.0
    for path in itertools.product(range(vocabulary), repeat=frames):
        labels = [label for label, _ in itertools.groupby(path) if label != BLANK]
        if labels == target:
            total += float(log_probs[range(frames), path].sum().exp())
    return -float(torch.tensor(total, dtype=torch.float64).log())


def test_ctc_on_the_merged_line_takes_a_skipped_frame_for_blank() -> None:
    """ "LL" across a skipped frame is two letters; side by side it is one."""
    torch.manual_seed(0)
    kept = torch.log_softmax(torch.randn(2, 3), dim=1)
    skipped = torch.tensor([[0.0, SKIPPED_LOG_PROB, SKIPPED_LOG_PROB]])
    line = torch.cat([kept[:1], skipped, kept[1:]])[None]
    for target in ([1, 1], [1], [2, 1], []):
        padded = torch.tensor([target + [0] * (2 - len(target))])
        loss = ctc_per_token(line, torch.tensor([3]), padded, torch.tensor([len(target)]), BLANK)
        expected = brute_force_ctc(line[0], target) / max(len(target), 1)
        assert loss.item() == pytest.approx(expected, abs=1e-4)
    both = -float(kept[0, 1] + kept[1, 1])
    loss = ctc_per_token(line, torch.tensor([3]), torch.tensor([[1, 1]]), torch.tensor([2]), BLANK)
    assert loss.item() == pytest.approx(both / 2, abs=1e-3)


def test_an_encoder_puts_blank_on_skipped_frames(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    mel = small_encoder.features(noisy_tones[: 144 * SMALL.frame_samples][None], torch.tensor([144]), 8)
    out = small_encoder(mel, torch.tensor([144]), torch.tensor([0.5]), 8)
    assert 0.1 < out.keep.float().mean() < 0.9
    skipped = out.final[~out.keep]
    assert (skipped[:, BLANK] == 0).all()
    assert (skipped[:, BLANK + 1 :] == SKIPPED_LOG_PROB).all()
    assert out.final[out.keep].exp().sum(dim=1).allclose(torch.ones(int(out.keep.sum())))


def test_an_encoder_passes_the_intermediate_head_through_where_asked(
    small_encoder: GatedEncoder, noisy_tones: Tensor
) -> None:
    """Kept frames say what they say; a skipped frame's loss reaches the lower stack, which blank for good stops."""
    encoder = copy.deepcopy(small_encoder).requires_grad_()
    mel = encoder.features(noisy_tones[: 144 * SMALL.frame_samples][None], torch.tensor([144]), 8)
    arguments = (mel, torch.tensor([144]), torch.tensor([0.5]), 8)
    blank, passed = encoder(*arguments), encoder(*arguments, with_middle=True, skipped="intermediate")
    assert 0.1 < blank.keep.float().mean() < 0.9
    assert passed.middle is not None
    for line in (passed.final, passed.middle):
        assert torch.equal(line[~blank.keep], passed.intermediate[~blank.keep])
    assert torch.equal(passed.final[blank.keep], blank.final[blank.keep])
    assert (passed.final[~blank.keep].argmax(dim=1) == BLANK).all()  # greedy decoding hears no difference
    passed.final[~blank.keep].sum().backward()
    assert encoder.lower.head.weight.grad is not None
    assert encoder.lower.head.weight.grad.abs().max() > 0
    assert encoder.upper.head.weight.grad is None or not encoder.upper.head.weight.grad.any()


@pytest.mark.parametrize("skipped", SKIPPED)
def test_where_nothing_is_kept_the_final_line_is_what_skipped_frames_say(
    small_encoder: GatedEncoder, noisy_tones: Tensor, skipped: str
) -> None:
    mel = small_encoder.features(noisy_tones[: 16 * SMALL.frame_samples][None], torch.tensor([16]), 8)
    out = small_encoder(mel, torch.tensor([16]), torch.tensor([0.0]), 8, skipped=skipped)
    assert not out.keep.any()
    assert torch.equal(out.final, small_encoder.skipped_line(out.intermediate, skipped))


def test_an_unknown_word_for_skipped_frames_is_refused(small_encoder: GatedEncoder) -> None:
    with pytest.raises(ValueError, match="cannot say 'silence'"):
        small_encoder.skipped_line(torch.zeros(1, 8, 12), "silence")


def test_an_empty_target_wants_blank_everywhere() -> None:
    log_probs = torch.log_softmax(torch.randn(1, 6, 4), dim=2).requires_grad_()
    loss = ctc_per_token(log_probs, torch.tensor([6]), torch.zeros(1, 1, dtype=torch.int64), torch.tensor([0]), BLANK)
    assert loss.item() == pytest.approx(-log_probs[0, :, BLANK].sum().item(), abs=1e-4)
    loss.backward()
    assert log_probs.grad is not None
    assert log_probs.grad.isfinite().all()


def test_a_target_longer_than_the_utterance_costs_nothing() -> None:
    log_probs = torch.log_softmax(torch.randn(1, 2, 4), dim=2)
    loss = ctc_per_token(log_probs, torch.tensor([2]), torch.tensor([[1, 2, 3]]), torch.tensor([3]), BLANK)
    assert loss.item() == 0.0


def test_consistency_is_the_symmetric_divergence_where_both_views_count() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 5, 3, requires_grad=True)  # two utterances, two views of each
    count = torch.rand(4, 5) < 0.7
    loss = consistency(torch.log_softmax(logits, 2), count)
    expected = 0.0
    for row in range(2):
        for frame in range(5):
            if count[row, frame] and count[row + 2, frame]:
                p, q = torch.softmax(logits[row::2, frame].detach(), 1)
                expected += 0.5 * float((p * (p / q).log()).sum() + (q * (q / p).log()).sum())
    assert expected > 0
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[~torch.logical_and(count[:2], count[2:]).repeat(2, 1)] == 0).all()


def test_views_that_agree_cost_nothing() -> None:
    log_probs = torch.log_softmax(torch.randn(2, 5, 3), 2)
    assert consistency(torch.cat([log_probs, log_probs]), torch.ones(4, 5, dtype=torch.bool)).item() == 0.0


def test_the_middle_of_the_upper_stack_is_heard_on_request(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    mel = small_encoder.features(noisy_tones[: 144 * SMALL.frame_samples][None], torch.tensor([144]), 8)
    arguments = (mel, torch.tensor([144]), torch.tensor([0.5]), 8)
    plain, both = small_encoder(*arguments), small_encoder(*arguments, with_middle=True)
    assert plain.middle is None
    assert torch.equal(both.final, plain.final)
    shallow = copy.deepcopy(small_encoder)
    del shallow.upper.stack.layers[1:]
    shallow.config = replace(SMALL, upper=replace(SMALL.upper, layers=1))
    assert both.middle is not None
    assert torch.allclose(both.middle, shallow(*arguments).final, atol=1e-5)
    assert not torch.allclose(both.middle, both.final, atol=1e-2)


def test_distillation_teaches_the_intermediate_head_only() -> None:
    torch.manual_seed(0)
    student, teacher = (torch.randn(2, 5, 4, requires_grad=True) for _ in range(2))
    keep = torch.rand(2, 5) < 0.5
    loss = distillation(output_of(torch.log_softmax(student, 2), torch.log_softmax(teacher, 2), keep), BLANK)
    p, q = torch.softmax(teacher, 2)[keep], torch.softmax(student, 2)[keep]
    assert loss.item() == pytest.approx((p * (p / q).log()).sum(dim=1).mean().item(), abs=1e-5)
    loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert (student.grad[keep].abs().sum(dim=1) > 0).all()
    assert (student.grad[~keep] == 0).all()


@pytest.mark.parametrize("form", ["kept", "blank", "labels"])
def test_distillation_without_kept_frames_is_zero(form: str) -> None:
    student = torch.randn(1, 5, 4, requires_grad=True)
    keep = torch.zeros(1, 5, dtype=torch.bool)
    loss = distillation(output_of(torch.log_softmax(student, 2), torch.zeros(1, 5, 4), keep), BLANK, form)
    loss.backward()
    assert loss.item() == 0.0


def taught(form: str, blank_id: int, keep: Tensor, frames: Tensor) -> tuple[float, Tensor, Tensor, Tensor]:
    """Loss, gradient of the student's logits [2, 5, 4], probabilities of teacher and student."""
    torch.manual_seed(0)
    student, teacher = (torch.randn(2, 5, 4, requires_grad=True) for _ in range(2))
    out = output_of(torch.log_softmax(student, 2), torch.log_softmax(teacher, 2), keep)
    out.frames = frames
    loss = distillation(out, blank_id, form)
    loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    return loss.item(), student.grad, torch.softmax(teacher, 2).detach(), torch.softmax(student, 2).detach()


KEEP = torch.tensor([[True, False, True, True, False], [False, True, False, False, False]])
FRAMES = torch.tensor([5, 3])


def test_every_form_of_distillation_that_a_configuration_may_name_is_there() -> None:
    assert set(DIVERGENCES) == set(DISTILLATIONS)


@pytest.mark.parametrize("form", DISTILLATIONS)
def test_a_teacher_that_agrees_teaches_nothing(form: str) -> None:
    logits = (4 * torch.randn(2, 5, 4)).requires_grad_()
    log_probs = torch.log_softmax(logits, 2)
    loss = distillation(output_of(log_probs, log_probs.detach(), KEEP), BLANK, form)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("form", ["blank", "labels"])
def test_distillation_of_what_a_sure_teacher_says_is_finite(form: str) -> None:
    """Log probabilities of 0 and of a skipped frame's labels are met in training."""
    sure = torch.full((1, 2, 4), SKIPPED_LOG_PROB)
    sure[0, 0, BLANK], sure[0, 1, 2] = 0.0, 0.0
    student = torch.randn(1, 2, 4, requires_grad=True)
    loss = distillation(output_of(torch.log_softmax(student, 2), sure, torch.ones(1, 2) > 0), BLANK, form)
    loss.backward()
    assert loss.item() > 0
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_distillation_on_all_frames_teaches_that_skipped_ones_are_blank() -> None:
    """The divergence from a teacher that is sure of blank is the student's surprise at blank; padding is not taught."""
    torch.manual_seed(0)
    student = torch.randn(2, 5, 4, requires_grad=True)
    log_probs = torch.log_softmax(student, 2)
    final = torch.full((2, 5, 4), SKIPPED_LOG_PROB)
    final[:, :, BLANK] = 0.0
    nothing = torch.zeros(2, 5, dtype=torch.bool)
    out = output_of(log_probs, final, nothing)
    out.frames = FRAMES
    valid = torch.arange(5) < FRAMES[:, None]
    loss = distillation(out, BLANK, "all")
    assert loss.item() == pytest.approx(-log_probs[valid][:, BLANK].mean().item(), abs=1e-3)
    loss.backward()
    assert student.grad is not None
    assert (student.grad[valid][:, BLANK] < 0).all()
    assert (student.grad[~valid] == 0).all()
    assert distillation(out, BLANK, "kept").item() == 0.0


def test_distillation_on_all_frames_weighs_each_alike() -> None:
    loss, gradient, p, q = taught("all", BLANK, KEEP, FRAMES)
    valid = torch.arange(5) < FRAMES[:, None]
    assert loss == pytest.approx(float((p * (p / q).log()).sum(dim=2)[valid].mean()), abs=1e-5)
    assert (gradient[valid].abs().sum(dim=1) > 0).all()
    assert (gradient[~valid] == 0).all()


@pytest.mark.parametrize("blank_id", [0, 2, 3])
def test_distillation_of_blank_is_binary(blank_id: int) -> None:
    """The cross-entropy's gradient: every label moves with its share of what is not blank, as one."""
    loss, gradient, p, q = taught("blank", blank_id, KEEP, FRAMES)
    ours, theirs = q[KEEP][:, blank_id], p[KEEP][:, blank_id]
    entropy = torch.nn.functional.binary_cross_entropy(theirs, theirs)
    assert loss == pytest.approx(float(torch.nn.functional.binary_cross_entropy(ours, theirs) - entropy), abs=1e-5)
    expected = (ours - theirs) / KEEP.sum()
    assert gradient[KEEP][:, blank_id].allclose(expected, atol=1e-6)
    share = without_blank(q[KEEP], blank_id) / (1 - ours[:, None])
    assert without_blank(gradient[KEEP], blank_id).allclose(-expected[:, None] * share, atol=1e-6)
    assert (gradient[~KEEP] == 0).all()


@pytest.mark.parametrize("blank_id", [0, 2, 3])
def test_distillation_of_labels_leaves_the_gate_alone(blank_id: int) -> None:
    loss, gradient, p, q = taught("labels", blank_id, KEEP, FRAMES)
    p, q = without_blank(p[KEEP], blank_id), without_blank(q[KEEP], blank_id)
    spoken = p.sum(dim=1, keepdim=True)
    p, q = p / spoken, q / q.sum(dim=1, keepdim=True)
    assert loss == pytest.approx(float((spoken * p * (p / q).log()).sum(dim=1).mean()), abs=1e-5)
    assert gradient[KEEP][:, blank_id].abs().max() < 1e-7
    assert without_blank(gradient[KEEP], blank_id).allclose(spoken * (q - p) / KEEP.sum(), atol=1e-6)
    assert (gradient[~KEEP] == 0).all()


def test_blank_and_labels_add_up_to_the_whole() -> None:
    parts = {form: taught(form, BLANK, KEEP, FRAMES) for form in ("kept", "blank", "labels")}
    assert parts["blank"][0] + parts["labels"][0] == pytest.approx(parts["kept"][0], abs=1e-5)
    assert (parts["blank"][1] + parts["labels"][1]).allclose(parts["kept"][1], atol=1e-6)


@pytest.mark.parametrize("blank_id", [0, 3])
def test_a_learned_gate_is_told_the_final_heads_blank(blank_id: int) -> None:
    """As a soft target, frame by frame; padding teaches nothing, and neither does the final head learn."""
    torch.manual_seed(0)
    logits, above = torch.randn(2, 5, requires_grad=True), torch.randn(2, 5, 4, requires_grad=True)
    out = output_of(torch.zeros(2, 5, 4), torch.log_softmax(above, 2), torch.ones(2, 5) > 0)
    out.frames, out.gate = FRAMES, logits
    valid = torch.arange(5) < FRAMES[:, None]
    p, q = torch.softmax(above.detach(), 2)[valid][:, blank_id], torch.sigmoid(logits.detach())[valid]
    loss = gate_cross_entropy(out, blank_id)
    assert loss.item() == pytest.approx(float(-(p * q.log() + (1 - p) * (1 - q).log()).mean()), abs=1e-5)
    loss.backward()
    assert above.grad is None
    assert logits.grad is not None
    assert logits.grad[valid].allclose((q - p) / valid.sum(), atol=1e-6)
    assert (logits.grad[~valid] == 0).all()


def test_a_learned_gate_finds_what_the_final_head_will_say() -> None:
    """One feature of the rows tells spikes, one frame in ten, from blank. The gate learns which is which, and how sure
    the final head is of either."""
    torch.manual_seed(0)
    rows, gate = torch.randn(20, 50, 6), torch.nn.Linear(6, 1)
    spike = torch.rand(20, 50) < 0.1
    rows[:, :, 2] = spike.float() - 0.5
    log_probs = torch.tensor([[0.95, 0.05, 1e-9], [0.1, 0.3, 0.6]]).log()  # what blank is, what a spike is
    out = output_of(torch.zeros(20, 50, 3), log_probs[spike.long()], torch.ones(20, 50) > 0)
    optimizer = torch.optim.Adam(gate.parameters(), lr=0.1)
    for _ in range(300):
        out.gate = gate(rows)[:, :, 0]
        optimizer.zero_grad()
        gate_cross_entropy(out, BLANK).backward()
        optimizer.step()
    found = torch.sigmoid(gate(rows)[:, :, 0])
    assert found[~spike].allclose(torch.tensor(0.95), atol=0.02)
    assert found[spike].allclose(torch.tensor(0.1), atol=0.02)


def test_what_a_learned_gate_learns_reaches_its_head_only(learned_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    encoder = copy.deepcopy(learned_encoder).requires_grad_()
    mel = encoder.features(noisy_tones[: 16 * SMALL.frame_samples][None], torch.tensor([16]), 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = encoder(mel, torch.tensor([16]), torch.ones(1), 8, gate=False)
    assert out.gate is not None
    assert out.gate.dtype == torch.float32
    gate_cross_entropy(out, BLANK).backward()
    moved = {name for name, value in encoder.named_parameters() if value.grad is not None and value.grad.any()}
    assert moved == {"lower.gate.weight", "lower.gate.bias"}


def test_without_a_learned_gate_there_is_nothing_of_it(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    mel = small_encoder.features(noisy_tones[: 16 * SMALL.frame_samples][None], torch.tensor([16]), 8)
    assert small_encoder(mel, torch.tensor([16]), torch.ones(1), 8).gate is None
    assert not [name for name in small_encoder.state_dict() if "gate" in name]


def test_the_flat_start_spreads_tokens_over_the_loud_region() -> None:
    """16 frames, of which 4 to 11 are loud: two tokens get four frames each, and hold the middle two."""
    mel = torch.full((2, 64, 80), -2.0)
    mel[0, 16:48] = 1.0
    labels = uniform_alignment(mel, torch.tensor([14, 16]), torch.tensor([[5, 7], [0, 0]]), torch.tensor([2, 0]), BLANK)
    assert labels[0].tolist() == [0, 0, 0, 0, 0, 5, 5, 0, 0, 7, 7, 0, 0, 0, -1, -1]
    assert labels[1].tolist() == [0] * 16


def test_the_flat_start_loss_is_the_cross_entropy_of_both_heads() -> None:
    torch.manual_seed(0)
    mel = torch.full((1, 64, 80), -2.0)
    mel[0, 16:48] = 1.0
    heads = torch.log_softmax(torch.randn(2, 1, 16, 8), dim=3)
    targets, lengths = torch.tensor([[5, 7]]), torch.tensor([2])
    out = EncoderOutput(
        torch.tensor([14]), heads[0], heads[1], torch.ones(1, 16, dtype=torch.bool), torch.zeros(1, 16, 8)
    )
    labels = [0, 0, 0, 0, 0, 5, 5, 0, 0, 7, 7, 0, 0, 0]
    expected = -heads[:, 0, range(14), labels].mean(dim=1).sum()
    assert flat_start(out, mel, targets, lengths, BLANK).item() == pytest.approx(expected.item(), abs=1e-5)


def test_flat_start_takes_an_utterance_of_one_loudness_whole() -> None:
    mel = torch.zeros(1, 4 * 8, 3)
    labels = uniform_alignment(mel, torch.tensor([8]), torch.tensor([[5, 6]]), torch.tensor([2]), blank_id=0)
    assert labels.tolist() == [[0, 5, 5, 0, 0, 6, 6, 0]]
