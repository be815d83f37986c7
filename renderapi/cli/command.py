"""The command as a whole: its verbs, and what is said when one fails."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from renderapi._version import __version__
from renderapi.cli import (
    addresses,
    aligning,
    changing,
    copying,
    files,
    images,
    looking,
    matches,
    own,
    viewing,
)
from renderapi.cli.options import Exit, Parser, UsageError, meant
from renderapi.errors import NotFoundError, RenderError, RenderWarning

_GROUPS = (looking, changing, copying, files, matches, aligning, images, viewing, own)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        Words after ``renderapi``; default those of the process.

    Returns
    -------
    int
        Exit status, an `Exit`: 0, 1 for an error that was printed, 2 where the words cannot be meant, 3 where
        what was looked at differs or is not healthy, 130 after Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        parser().print_help(sys.stderr)
        return Exit.USAGE
    options, unknown = parser().parse_known_args(words)
    if unknown:
        # said by the verb, which knows its options
        known = re.findall(r"--[\w-]+", options.verb.format_usage())
        options.verb.error(f"unrecognized arguments: {' '.join(unknown)}{meant(unknown[0], known)}")
    options.asked = []
    with _warnings_shown_as_notes(options.command):
        return int(_run(options))


def _run(options: argparse.Namespace) -> int:
    try:
        status = options.run(options)
        sys.stdout.flush()  # where a reader that is gone is noticed
        return int(status)
    except KeyboardInterrupt as interrupt:
        said = f": {interrupt}" if interrupt.args else ""
        print(f"\nstopped{said}", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # nothing is written to it when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE
    except UsageError as error:
        print(f"renderapi {options.command}: {error}", file=sys.stderr)
        return Exit.USAGE
    except (RenderError, OSError, ValueError, ImportError) as error:
        print(f"renderapi {options.command}: {error}", file=sys.stderr)
        if isinstance(error, NotFoundError):
            for line in addresses.suggestions(options.asked):
                print(line, file=sys.stderr)
        return Exit.ERROR


@contextmanager
def _warnings_shown_as_notes(command: str) -> Iterator[None]:
    """Show what the library warns of as a line, without the place in its code."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", RenderWarning)
        otherwise = warnings.showwarning

        def show(message, category, *where, **more):  # type: ignore[no-untyped-def]
            if issubclass(category, RenderWarning):
                print(f"renderapi {command}: note: {message}", file=sys.stderr)
            else:
                otherwise(message, category, *where, **more)

        warnings.showwarning = show
        yield


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command, with all verbs."""
    top = Parser(
        formatter_class=partial(argparse.HelpFormatter, max_help_position=20),
        prog="renderapi",
        description="Tile specs and point matches of a render server: look at them, bring them in, copy and "
        "compare them, get images. Or run a server of your own.",
        epilog="A stack is [[OWNER/]PROJECT/]STACK, or its URL. How it ends: 0 all is well, 1 an error, 2 words that "
        "cannot be meant, 3 something differs or is not healthy, 130 Ctrl-C.",
    )
    top.add_argument("--version", action="version", version=f"render-python {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="VERB [OPTIONS]", title="verbs")
    for group in _GROUPS:
        group.add(commands)
    top.set_defaults(parser=top)  # for what completes its words
    return top
