"""The `edge-asr` command, and `python -m edge_asr`, for torchrun and for machines where scripts are not on the path."""

from edge_asr.terminal.import_path import leave_out_working_folder


def main() -> int:
    """Run the command line; returns the exit code."""
    leave_out_working_folder()  # before anything is imported that a user's file may hide
    from edge_asr.cli import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
