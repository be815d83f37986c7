"""Running a client script: its words checked, its output shown and kept, nothing left behind."""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import select
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from renderapi.client.checks import ClientArgumentError
from renderapi.errors import ClientScriptError, RenderWarning

if TYPE_CHECKING:
    import subprocess

logger = logging.getLogger("renderapi.client.client_calls")

#: Keywords with which a script is run, beside ``subprocess_mode``.
RUN_OPTIONS = ("stdout", "stderr", "timeout")
MODES = ("check_call", "call", "check_output", "popen")
_KEPT_OUTPUT = 16_000
_SHOWN_OUTPUT = 2_000
_SHOWN_COMMAND = 1_000
#: Seconds that a script is given to end by itself, and its output to be read after it has ended.
_GRACE = 2.0
_LOOK = 50  # milliseconds
_SIGNAL_STATUS = 128
_NOT_FOUND_STATUS = 127
#: What the script says, and what to do about it.
_ADVICE = {
    "OutOfMemoryError": "Java's memory was not enough: give more with memGB=, for instance '4G'.",
    "Could not find or load main class": "The jar of the Java clients is missing or old: build it, or set "
    "RENDER_CLIENT_JAR to its path.",
    "Could not reserve enough space": "This machine has less memory than memGB= asks for.",
    "Invalid maximum heap size": "memGB= must look like '1G' or '512m'.",
    "Connection refused": "The render server does not answer at the host and port of the connection.",
    "UnknownHostException": "Java does not find the host of the connection.",
}


# ------------------------------------------------------------------------------------------------ words


def check_words(words: Iterable[str]) -> None:
    """Refuse arguments that would not reach Java as they are.

    ``run_ws_client.sh`` expands its arguments without quotes: white space splits them, patterns that match
    file names are replaced, empty ones vanish. JCommander reads ``@file`` words from the file and strips
    double quotes.

    Raises
    ------
    ClientArgumentError
        Names the argument.
    """
    option = ""
    for word in words:
        why = _trouble_with(word)
        if why:
            raise ClientArgumentError(f"argument {option}{word!r} cannot be handed to the Java client: {why}")
        option = f"{word} " if word.startswith("--") else ""


def _trouble_with(word: str) -> str | None:
    import glob

    if not word:
        return "it is empty, and the script drops empty arguments"
    if any(character.isspace() or character == "\0" for character in word):
        return "the script splits arguments at white space (choose a path or name without)"
    if word.startswith("@"):
        return "Java takes an argument that begins with @ for a file of arguments"
    if len(word) > 1 and word[0] == word[-1] == '"':
        return "Java strips the double quotes around it"
    if glob.has_magic(word) and glob.glob(word):  # noqa: PTH207  (as the shell does it)
        return "the script takes it for a pattern, and there are files that it matches"
    return None


def as_words(arguments: Iterable[Any]) -> list[str]:
    """Return the arguments of a Java client as text.

    Raises
    ------
    ClientArgumentError
        One of them is None, or a number that is none.
    """
    words: list[str] = []
    for argument in arguments:
        word = os.fspath(argument) if isinstance(argument, os.PathLike) else str(argument)
        if argument is None or (word in ("nan", "inf", "-inf") and not isinstance(argument, str)):
            place = f"after {' '.join(words[-2:])}" if words else "at the beginning"
            raise ClientArgumentError(f"an argument of the Java client is {word} ({place})")
        words.append(word)
    return words


# -------------------------------------------------------------------------------------------- processes


class _Tail:
    """The end of what a process printed, on both of its streams, in the order it came."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self._kept += chunk
            del self._kept[:-_KEPT_OUTPUT]

    def text(self) -> str:
        with self._lock:
            return self._kept.decode(errors="replace")


class _Reader(threading.Thread):
    """Reads a stream of a process to its end: keeps it, and shows it as it comes."""

    def __init__(self, pipe: IO[bytes], tail: _Tail, show: IO[str] | None, everything: bool = False) -> None:
        super().__init__(daemon=True)
        self._pipe, self._tail, self._show = pipe, tail, show
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.everything = everything
        self.content = bytearray()

        #: set when nobody waits for more any longer
        self.over = threading.Event()

    def run(self) -> None:
        # a chunk at a time, not a line: what a script prints need not be text
        with self._pipe:
            while self._is_ready() and (chunk := os.read(self._pipe.fileno(), 65536)):
                self._tail.add(chunk)
                if self.everything:
                    self.content += chunk
                self._display(chunk)

    def _is_ready(self) -> bool:
        """Wait for output; False when it is over, though something keeps the stream open."""
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while not poll.poll(_LOOK):
            if self.over.is_set():
                return False
        return not self.over.is_set()

    def _display(self, chunk: bytes) -> None:
        if self._show is None:
            return
        try:
            self._show.write(self._decoder.decode(chunk))
            self._show.flush()
        except (OSError, ValueError):
            # nobody is looking any more (a closed terminal, a finished notebook cell): the script goes on
            self._show = None


def _mode(subprocess_mode: str | None) -> str:
    mode = (subprocess_mode or "check_call").lower()
    if mode not in MODES:
        warnings.warn(
            f"subprocess_mode {subprocess_mode!r} is taken for 'check_call'; known are {', '.join(MODES)}",
            RenderWarning,
            stacklevel=4,
        )
    return mode


def run_subprocess_mode(args: Sequence[Any], subprocess_mode: str | None = None, **kwargs: Any) -> Any:
    """Run a program and wait for it.

    What it prints is shown as it comes (on ``sys.stdout`` and ``sys.stderr``); its end is kept for the error.
    When the wait is interrupted, the program and all that it started are ended first.

    Parameters
    ----------
    args : list of str
        Program and arguments; no shell is involved.
    subprocess_mode : {None, "check_call", "call", "check_output", "popen"}
        None, ``"check_call"``, ``"popen"``: give 0, raise if the program fails. ``"call"``: give its exit
        status; a failure is only a warning. ``"check_output"``: give what it printed on its standard output,
        as bytes, instead of showing it; raise if it fails.
    **kwargs
        ``stdout=`` and ``stderr=`` as for `subprocess.Popen` (an open file, ``DEVNULL``, ``PIPE``: kept
        and not shown, ``STDOUT``), ``timeout=`` in seconds (default none). Everything else is ignored.

    Returns
    -------
    int or bytes

    Raises
    ------
    subprocess.CalledProcessError
        The program failed; ``output`` is the end of what it printed.
    subprocess.TimeoutExpired
        It took longer than `timeout`, and was ended.
    OSError
        It cannot be started.
    """
    import subprocess

    mode = _mode(subprocess_mode)
    stdout, stderr = kwargs.get("stdout"), kwargs.get("stderr")
    timeout = kwargs.get("timeout")
    capture = mode == "check_output"
    if capture and stdout is not None:
        raise ValueError("stdout= cannot be given with subprocess_mode='check_output', which returns it")
    logger.debug("running %s", list(args))

    process = subprocess.Popen(  # noqa: S603  (a list of words, no shell)
        list(args),
        stdin=subprocess.DEVNULL,
        stdout=_destination(stdout),
        stderr=_destination(stderr),
    )
    tail = _Tail()
    readers = []
    if process.stdout is not None:
        show = None if capture else _display(stdout, sys.stdout)
        readers.append(_Reader(process.stdout, tail, show, everything=capture))
    if process.stderr is not None:
        readers.append(_Reader(process.stderr, tail, _display(stderr, sys.stderr)))
    try:
        for reader in readers:
            reader.start()
        process.wait(timeout)
    except BaseException as error:
        _end(process)
        _join(readers)
        if isinstance(error, subprocess.TimeoutExpired):
            error.output = tail.text()
        raise
    _join(readers)
    printed = bytes(readers[0].content) if capture else None
    if process.returncode and mode != "call":
        output = tail.text() if printed is None else printed
        raise subprocess.CalledProcessError(process.returncode, list(args), output=output)
    if process.returncode:
        warnings.warn(
            f"{args[0]} {_what_happened(process.returncode)}; subprocess_mode='call' does not raise it",
            RenderWarning,
            stacklevel=2,
        )
    return process.returncode if printed is None else printed


def _destination(stream: Any) -> Any:
    """Where a stream of the process goes: through us, unless it is to go into a file."""
    import subprocess

    # what is not shown is read all the same, because an error should say what was printed
    if stream in (None, subprocess.DEVNULL) or not (isinstance(stream, int) or _has_descriptor(stream)):
        return subprocess.PIPE
    return stream


def _display(stream: Any, default: IO[str] | None) -> IO[str] | None:
    """Where what is read from the process is shown."""
    if stream is None:
        return default
    return None if isinstance(stream, int) else stream


def _has_descriptor(stream: Any) -> bool:
    try:
        stream.fileno()
    except (AttributeError, OSError):
        # the output of a notebook, an io.StringIO
        return False
    return True


def _join(readers: Iterable[_Reader]) -> None:
    """Wait for the rest of the output, but not for a background process that keeps the stream open."""
    started = [reader for reader in readers if reader.ident is not None]
    deadline = time.monotonic() + _GRACE
    for reader in started:
        reader.join(max(0.0, deadline - time.monotonic()))
    for reader in started:
        # what is returned has everything that the script itself wrote: that waits in the pipe
        reader.over.set()
    for reader in started:
        reader.join(_GRACE)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with everything that it started: kindly, then by force; and reap it."""
    import signal
    import subprocess

    if process.poll() is not None:
        return
    family = [process.pid, *_descendants(process.pid)]
    _signal(family, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    deadline = time.monotonic() + _GRACE
    while any(_is_alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal([pid for pid in family if _is_alive(pid)], getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        # it may have ended by itself meanwhile
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        return _status(Path(f"/proc/{pid}/stat"))[0] != "Z"
    except OSError:
        return True


def _status(file: Path) -> list[str]:
    """What Linux says of a process: its state, its parent's id, ..."""
    # the name of the program, in parentheses, may hold anything
    return file.read_text(errors="replace").rpartition(")")[2].split()


def _descendants(pid: int) -> list[int]:
    """Process ids of the children of a process, of their children, and so on.

    The script is not made a process group of its own, which would be simpler: the terminal's Ctrl-C would
    then not reach scripts that worker threads wait for.
    """
    children: dict[int, list[int]] = {}
    for child, parent in _processes():
        children.setdefault(parent, []).append(child)
    found = []
    todo = [pid]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


def _processes() -> Iterable[tuple[int, int]]:
    """All processes of the machine as (process id, parent's process id)."""
    entries = list(Path("/proc").glob("[0-9]*/stat"))
    for entry in entries:
        with contextlib.suppress(OSError):
            yield int(entry.parent.name), int(_status(entry)[1])
    if not entries:
        import subprocess

        listing = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=False)
        for line in listing.stdout.splitlines():
            child, parent = line.split()
            yield int(child), int(parent)


# ---------------------------------------------------------------------------------------------- failures


def failure(error: Exception, words: Sequence[str]) -> ClientScriptError:
    """Return the `ClientScriptError` for what `run_subprocess_mode` raised."""
    import subprocess

    command = " ".join(words)
    if len(command) > _SHOWN_COMMAND:
        command = f"{command[:_SHOWN_COMMAND]} ... ({len(words)} words)"
    if isinstance(error, OSError):
        return ClientScriptError(
            f"client script cannot be run: {_why_not_started(error)}\n  command: {command}"
        )
    output = _text(getattr(error, "output", None))
    returncode = getattr(error, "returncode", None)
    if isinstance(error, subprocess.TimeoutExpired):
        happened = f"did not finish within {error.timeout} s and was ended"
    else:
        happened = _what_happened(returncode)
    lines = [f"client script {happened}", f"  command: {command}"]
    lines += [f"  {advice}" for sign, advice in _ADVICE.items() if sign in output]
    if returncode == _NOT_FOUND_STATUS:
        lines.append(
            "  Status 127: a program was not found, most often java. Install it, or set RENDER_JAVA_HOME."
        )
    lines.append(f"  it printed:\n{output[-_SHOWN_OUTPUT:]}" if output.strip() else "  it printed nothing")
    return ClientScriptError("\n".join(lines), returncode=returncode, output=output)


def _text(output: Any) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _what_happened(returncode: int | None) -> str:
    import signal

    status = returncode or 0
    number = -status if status < 0 else status - _SIGNAL_STATUS
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"failed with exit status {status}"
    if status < 0:
        return f"was ended by signal {name}"
    return f"failed with exit status {status}: something it ran was ended by signal {name}"


def _interpreter(script: str | bytes | None) -> str | None:
    """Return the program that the first line of a script names."""
    try:
        with open(script or "", "rb") as file:  # noqa: PTH123  (a name as the system gave it)
            line = file.readline(500)
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    words = line[2:].rstrip(b"\n").strip(b" \t").split(b" ")
    return os.fsdecode(words[0]) or None


def _why_not_started(error: OSError) -> str:
    import errno

    if error.errno == errno.E2BIG:
        return "the command line is too long for this system (give fewer at a time)"
    if error.errno == errno.ENOEXEC:
        return f"{error.filename} does not begin with a #! line"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENOEXEC, errno.EACCES):
        interpreter = _interpreter(error.filename)
        if interpreter and not os.access(interpreter, os.X_OK):
            return (
                f"its interpreter {interpreter!r}, which the first line of {error.filename} names, does not "
                "exist or is no program"
                + (" (the line ends as on Windows: \\r)" if interpreter.endswith("\r") else "")
            )
    if error.errno == errno.ENOENT:
        return (
            f"{error.filename} does not exist; give connect(client_scripts=FOLDER), or set "
            "RENDER_CLIENT_SCRIPTS to the folder that holds run_ws_client.sh"
        )
    return str(error)
