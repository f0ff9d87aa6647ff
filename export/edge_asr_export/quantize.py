"""Weight precision of the linears: int8 per output channel, int4 in groups, or float32."""

from __future__ import annotations

import torch
from torch import nn
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, PerAxis, PerGroup, quantize_

INT4_GROUP = 32  # the group size that XNNPACK's kernels take


def quantize(module: nn.Module, precision: str) -> None:
    """Quantize every `nn.Linear` in place; activations are quantized at run time, row by row.

    Norms and the front end multiply by constants through `functional.linear` and stay float32. With int4, linears
    whose input is no whole number of groups get int8.
    """
    if precision == "fp32":
        return
    int8 = Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0))
    int4 = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4,  # type: ignore[attr-defined]
        weight_granularity=PerGroup(INT4_GROUP),
    )

    def fits_int4(layer: nn.Module, _: str) -> bool:
        return isinstance(layer, nn.Linear) and layer.in_features % INT4_GROUP == 0

    def is_left(layer: nn.Module, _: str) -> bool:
        return isinstance(layer, nn.Linear) and not (precision == "int4" and layer.in_features % INT4_GROUP == 0)

    if precision == "int4":
        quantize_(module, int4, filter_fn=fits_int4)
    quantize_(module, int8, filter_fn=is_left)
