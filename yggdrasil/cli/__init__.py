"""The `yggdrasil` command. Nothing but what a command needs is loaded for it."""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave with one of the codes of `cli/exits.py`."""
    import sys

    from yggdrasil.cli import streams

    streams.prepare()
    try:
        from yggdrasil.cli.commands import app

        try:
            app(prog_name="yggdrasil")
        except SystemExit as leaving:
            if leaving.code:
                streams.drop()
            else:
                sys.stdout.flush()  # what cannot be written is told like any other fault
            raise
    except Exception as error:
        from yggdrasil.cli.failure import report

        code = report(error)
        streams.drop()
        sys.exit(code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


__all__ = ["main"]
