"""Errors as one screen: where, why, and the line to write. A traceback only for those who ask for it."""

from __future__ import annotations

import os
import sys
import traceback

from yggdrasil.cli.exits import exit_of
from yggdrasil.errors import LeaseError, Problem, ValidationError, YggdrasilError

TRACEBACK = "YGGDRASIL_TRACEBACK"
"""Set it to 1 to see Python's traceback under an error."""

LINES = 24
"""What fits on one screen."""


def report(error: BaseException) -> int:
    """Print an error to standard error; the exit code it means."""
    error = innermost(error)
    print("\n".join(shorten(words(error))), file=sys.stderr)
    if os.environ.get(TRACEBACK, "") not in ("", "0"):
        traceback.print_exception(error)
    return exit_of(error).code


def innermost(error: BaseException) -> BaseException:
    """The one error in a group of one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def words(error: BaseException) -> list[str]:
    """An error as lines for a person."""
    if isinstance(error, ValidationError):
        return [line for problem in error.problems for line in told(problem)]
    if isinstance(error, YggdrasilError):
        lines = told(Problem(error.path, error.sentence, error.hint))
        if isinstance(error, LeaseError) and error.holder and error.holder not in "\n".join(lines):
            lines.insert(1, f"  held by: {error.holder}")
        return lines
    if isinstance(error, BaseExceptionGroup):
        return [line for each in error.exceptions for line in words(innermost(each))]
    lines = [f"error: {type(error).__name__}: {error}".rstrip(": ")]
    if not isinstance(error, OSError):
        lines.append(f"  this is a fault of yggdrasil itself; {TRACEBACK}=1 shows where it lies")
    return lines


def told(problem: Problem) -> list[str]:
    """One complaint as lines: path and reason, then what to write."""
    return f"{problem.level}: {problem}".splitlines()


def shorten(lines: list[str], most: int = LINES) -> list[str]:
    """At most `most` lines, none endless, and a word on what was left out."""
    cut = [line if len(line) <= 400 else line[:397] + "..." for line in lines]
    return cut if len(cut) <= most else [*cut[: most - 1], f"... and {len(cut) - most + 1} more lines"]
