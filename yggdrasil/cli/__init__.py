"""The `yggdrasil` command. Nothing but what a command needs is loaded for it."""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave with one of the codes of `cli/exits.py`."""
    import sys

    from yggdrasil.cli.failure import report

    try:
        from yggdrasil.cli.commands import app

        app(prog_name="yggdrasil")
    except Exception as error:
        sys.exit(report(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


__all__ = ["main"]
