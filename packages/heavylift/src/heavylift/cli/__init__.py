"""The command `heavylift`.

Results go to stdout, as text or with `--json` as one JSON document; everything said on the way goes to stderr. The
exit codes are those of `exits.ExitCode`.
"""

try:
    from heavylift.cli.app import main
except ModuleNotFoundError as missing:  # in an image that has the library without the command line's extra
    raise SystemExit(f"heavylift: {missing.name} is not installed: pip install 'heavylift[cli]'") from missing

__all__ = ["main"]
