"""The command `heavylift`.

Results go to stdout, as text or with `--json` as one JSON document; everything said on the way goes to stderr. The
exit codes are those of `exits.ExitCode`.
"""

from heavylift.cli.app import main

__all__ = ["main"]
