"""The one exception a user is meant to see."""


class EdgeAsrError(Exception):
    """Something the user can mend: one line on what is wrong and what to do. The commands print it and exit 1."""
