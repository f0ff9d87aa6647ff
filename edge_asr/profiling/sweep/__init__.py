"""Thresholds and files against one another: WER, compute and energy of each, the front, and what to choose."""
