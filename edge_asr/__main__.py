"""`python -m edge_asr`, for torchrun and for machines where scripts are not on the path."""

from edge_asr.cli import main

raise SystemExit(main())
