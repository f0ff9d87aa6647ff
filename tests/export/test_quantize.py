"""Which weights are quantized: every learnt linear, and nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edge_asr.model.encoder import GatedEncoder
from edge_asr_export.quantize import quantize


def weight_types(module: nn.Module) -> dict[str, torch.dtype]:
    """Name of each linear -> what its weights were quantized to; float32 where they were not."""
    linears = {name: layer for name, layer in module.named_modules() if isinstance(layer, nn.Linear)}
    return {name: getattr(layer.weight, "target_dtype", layer.weight.dtype) for name, layer in linears.items()}


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_constants_convolutions_and_biases_stay_float(small_encoder: GatedEncoder, precision: str) -> None:
    encoder = copy.deepcopy(small_encoder)
    quantize(encoder, precision)
    before = dict(small_encoder.named_buffers())
    of_front_end = {"window", "filters_0", "filters_1", "filters_2", "filters_3", "filters_4", "constant"}
    assert {name.rsplit(".", 1)[-1] for name in before} == of_front_end | {"mean", "least", "steps"}
    for name, value in encoder.named_buffers():
        assert torch.equal(value, before[name]), name
    for name, layer in encoder.named_modules():
        if isinstance(layer, nn.Conv2d):
            assert torch.equal(layer.weight, small_encoder.get_submodule(name).weight)
        if isinstance(layer, nn.Linear):
            assert torch.equal(layer.bias, small_encoder.get_submodule(name).bias)


def test_int8_takes_every_linear(small_encoder: GatedEncoder) -> None:
    encoder = copy.deepcopy(small_encoder)
    quantize(encoder, "int8")
    types = weight_types(encoder)
    assert len(types) == 1 + 6 + 2 + 1 + 2 * 6 + 1  # subsampling, lower layer, its heads, entry, upper layers, head
    assert set(types.values()) == {torch.int8}


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_the_parts_of_a_factorized_head_are_linears_as_others(factorized_encoder: GatedEncoder, precision: str) -> None:
    encoder = copy.deepcopy(factorized_encoder)
    quantize(encoder, precision)
    types = weight_types(encoder)
    narrow, wide = getattr(torch, precision), torch.int8  # 48 is no whole number of groups
    assert [types[f"lower.head.{part}"] for part in ("blank", "labels")] == [narrow] * 2
    assert [types[f"upper.head.{part}"] for part in ("blank", "labels")] == [wide] * 2


def test_int4_falls_back_to_int8_where_a_group_does_not_fit(small_encoder: GatedEncoder) -> None:
    encoder = copy.deepcopy(small_encoder)
    quantize(encoder, "int4")
    for name, found in weight_types(encoder).items():
        fits = encoder.get_submodule(name).in_features % 32 == 0
        assert found == (torch.int4 if fits else torch.int8), name
    assert set(weight_types(encoder).values()) == {torch.int4, torch.int8}


def test_fp32_changes_nothing(small_encoder: GatedEncoder) -> None:
    encoder = copy.deepcopy(small_encoder)
    quantize(encoder, "fp32")
    assert set(weight_types(encoder).values()) == {torch.float32}


@pytest.mark.parametrize(("precision", "tolerance"), [("int8", 0.02), ("int4", 0.25)])
def test_a_quantized_linear_stays_near(precision: str, tolerance: float) -> None:
    torch.manual_seed(0)
    layer, rows = nn.Sequential(nn.Linear(64, 32)).requires_grad_(False), torch.randn(10, 64)
    expected = layer(rows)
    quantize(layer, precision)
    difference = (layer(rows) - expected).abs().max()
    assert 0 < difference < tolerance
