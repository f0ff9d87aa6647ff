"""edge-asr: streaming speech recognition on CPUs whose compute follows the speech."""

__version__ = "0.1.0"
