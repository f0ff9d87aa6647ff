"""From a checkpoint to one `.pte`: compose, quantize, lower, verify, inspect. Needs torch and ExecuTorch's exporter."""
