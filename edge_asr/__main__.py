"""`python -m edge_asr`, for torchrun and for machines where scripts are not on the path."""

from edge_asr.commands.import_path import leave_out_working_folder

leave_out_working_folder()  # before anything is imported that a user's file may hide

from edge_asr.cli import main  # noqa: E402

raise SystemExit(main())
