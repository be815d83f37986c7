"""What the verbs of the command have in common: how they end, and the options that several have."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Exit(IntEnum):
    """How the command ends: what ``$?`` says."""

    OK = 0
    #: Something went wrong, and was printed.
    ERROR = 1
    #: The words of the command cannot be meant.
    USAGE = 2
    #: Two stacks differ, a set-up is not healthy, a file is not valid.
    DIFFERS = 3
    #: Ctrl-C.
    INTERRUPTED = 130
    #: Who read the output has gone, as ``head`` does.
    PIPE = 141


class UsageError(Exception):
    """The words of the command cannot be meant."""


class Parser(argparse.ArgumentParser):
    """A parser that knows what a misspelt word was meant to be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.color = False  # of Python 3.14: would stand in the usage, which `error` shortens

    def error(self, message: str) -> NoReturn:
        """End the command, saying how to call it."""
        if found := re.search(r"argument (.*): invalid choice: '(.*?)' \(choose from (.*)\)", message):
            name, word, known = found[1], found[2], re.findall(r"[\w.-]+", found[3])
            if name.startswith("VERB"):
                message = f"there is no verb {word!r}"
            message += meant(word, known)
        # of dozens of options a person would not find the line that says what is wrong
        usage = re.sub(r"\s*\[-(?:[^\[\]]|\[[^\[\]]*\])*\]", "", " ".join(self.format_usage().split()))
        usage = usage.replace(self.prog, f"{self.prog} [OPTIONS]", 1)
        self.exit(Exit.USAGE, f"{usage}\n{self.prog}: {message} ({self.prog} --help shows more)\n")


def meant(word: str, known: list[str]) -> str:
    """Ask whether a word was meant to be one of those that are known, if one is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def verb(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    description: str,
    library: str,
) -> argparse.ArgumentParser:
    """Add a verb.

    Parameters
    ----------
    commands
        What `argparse.ArgumentParser.add_subparsers` gave.
    name : str
        The verb.
    run : callable
        Does it; given the options, returns an `Exit`.
    help, description : str
        A line, and the text above the options.
    library : str
        Functions of the library that do the same, separated by blanks.

    Returns
    -------
    argparse.ArgumentParser
        The parser of the verb, for options of its own.
    """
    functions = library.split()
    parser = commands.add_parser(
        name, help=help, description=description, epilog=f"In Python: {', '.join(functions)}."
    )
    parser.set_defaults(run=run, library=functions, verb=parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a verb show its result as JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Let a verb say what it would write."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")


def add_connection(parser: argparse.ArgumentParser, *, owner: bool = True, scripts: bool = False) -> None:
    """Let a verb take the settings of `renderapi.connect`."""
    group = parser.add_argument_group(
        "connection", "What is not given is read from the environment: RENDER_HOST, RENDER_PORT ..."
    )
    group.add_argument(
        "--url", metavar="URL", help="the server: http://localhost:8080, https://em.example.org/lab/render-ws"
    )
    group.add_argument("--host", metavar="HOST", help="host, instead of --url; https:// before it for TLS")
    group.add_argument("--port", type=port, metavar="PORT", help="port of --host")
    if owner:
        group.add_argument("--owner", metavar="OWNER", help="owner, where an address names none")
        group.add_argument("--project", metavar="PROJECT", help="project, where an address names none")
    group.add_argument(
        "--user", metavar="NAME[:PASSWORD]", help="user; a password that is not given is asked for"
    )
    group.add_argument("--header", action="append", default=[], type=header, metavar="NAME:VALUE",
                       help="sent with every request; may be given several times")  # fmt: skip
    group.add_argument(
        "--verify", metavar="FILE", help="certificates to trust, for a server with one of its own"
    )
    group.add_argument("--insecure", action="store_true", help="do not check the certificate of the server")
    group.add_argument("--direct", action="store_true", help="go past the proxy of the environment")
    group.add_argument(
        "--timeout", type=seconds, metavar="S", help="seconds to wait for an answer (default 600)"
    )
    group.add_argument(
        "--total", type=seconds, metavar="S", help="seconds for a whole call, with repetitions"
    )
    group.add_argument(
        "--retries", type=count, metavar="N", help="how often a request is repeated (default 5)"
    )
    if scripts:
        group.add_argument(
            "--client-scripts", metavar="DIR", help="folder of the Java client scripts of render"
        )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Let a verb choose who does bulk work."""
    parser.add_argument(
        "--engine",
        choices=["java", "python"],
        help="who does it (default: Java where client scripts are configured, else Python)",
    )


def positive(text: str) -> int:
    """Read a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def count(text: str) -> int:
    """Read a whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("at least 0")
    return number


def seconds(text: str) -> float:
    """Read a duration."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("seconds, more than 0")
    return number


def any_port(text: str) -> int:
    """Read a port, 0 for any that is free."""
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def port(text: str) -> int:
    """Read the port of a server."""
    number = any_port(text)
    if number == 0:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def header(text: str) -> tuple[str, str]:
    """Read a header of HTTP."""
    name, colon, value = text.partition(":")
    if not name.strip() or not colon:
        raise argparse.ArgumentTypeError("a header is NAME:VALUE")
    return name.strip(), value.strip()


def number_text(value: Any) -> str:
    """Write a number for people: no digits that say nothing."""
    return f"{value:,.10g}"


def counted(number: Any, things: str) -> str:
    """Write how many things there are, which are called in the plural: ``1 tile``, ``2 tiles``."""
    return f"{number_text(number)} {things.removesuffix('s') if number == 1 else things}"
