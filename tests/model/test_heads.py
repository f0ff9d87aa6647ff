"""Blank as a decision of its own: the distribution is the stated one, and the losses see it whole."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.heads import FactorizedHead, output_head
from edge_asr.model.losses import ctc_per_token
from tests.model.conftest import SMALL


@pytest.mark.parametrize("blank_id", [0, 2, 4])
def test_blank_is_a_sigmoid_and_labels_share_the_rest(blank_id: int) -> None:
    torch.manual_seed(0)
    head, hidden = FactorizedHead(8, 5, blank_id), torch.randn(3, 7, 8)
    found = torch.softmax(head(hidden), dim=2)
    blank = torch.sigmoid(head.blank(hidden))
    labels = (1 - blank) * torch.softmax(head.labels(hidden), dim=2)
    expected = torch.cat([labels[:, :, :blank_id], blank, labels[:, :, blank_id:]], dim=2)
    assert found.allclose(expected, atol=1e-6)


def test_labels_say_nothing_of_blank_nor_blank_of_labels() -> None:
    head, hidden = FactorizedHead(8, 5, 0), torch.randn(7, 8)
    torch.log_softmax(head(hidden), dim=1)[:, 0].sum().backward()
    assert head.blank.weight.grad is not None
    assert head.blank.weight.grad.abs().max() > 1e-3
    assert head.labels.weight.grad is not None
    assert head.labels.weight.grad.abs().max() < 1e-6


def test_the_switch_makes_both_heads_factorized() -> None:
    usual, factorized = SMALL, replace(SMALL, factorized=True)
    assert isinstance(output_head(usual, 8), nn.Linear)
    encoder = GatedEncoder(factorized)
    assert isinstance(encoder.lower.head, FactorizedHead)
    assert isinstance(encoder.upper.head, FactorizedHead)
    assert {"lower.head.weight", "upper.head.weight"} <= set(GatedEncoder(usual).state_dict())  # as older checkpoints


def test_the_parts_of_a_lower_stack_are_the_whole(factorized_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    lower, blank_id = factorized_encoder.lower, factorized_encoder.config.blank_id
    hidden = torch.randn(2, 8, SMALL.lower.width)
    logits, handed = lower.hand_over(hidden)
    probabilities = torch.softmax(logits, dim=2)
    assert lower.blank_probability(hidden)[:, :, 0].allclose(probabilities[:, :, blank_id], atol=1e-6)
    assert handed.allclose(hidden + lower.condition(probabilities))


def test_a_factorized_encoder_learns_by_the_same_loss(factorized_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    encoder = copy.deepcopy(factorized_encoder).requires_grad_()
    mel = encoder.features(noisy_tones[: 16 * SMALL.frame_samples][None], torch.tensor([16]), 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = encoder(mel, torch.tensor([16]), torch.ones(1), 8)
    loss = torch.zeros(())
    for head in (out.intermediate, out.final):
        assert head.dtype == torch.float32
        assert head.exp().sum(dim=2).allclose(torch.ones(1, 16), atol=1e-5)
        loss = loss + ctc_per_token(head, out.frames, torch.tensor([[3, 7]]), torch.tensor([2]), 5)
    loss.backward()
    for module in (encoder.lower.head, encoder.upper.head):
        for weights in module.parameters():
            assert weights.grad is not None
            assert weights.grad.isfinite().all()
            assert weights.grad.abs().max() > 0
