"""Readers of audio: bytes of a file or a pipe, their containers, channels, and what is wrong with the input."""
