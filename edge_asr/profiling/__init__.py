"""What recognition costs, measured on the device itself. Nothing here imports torch."""
