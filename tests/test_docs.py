"""Every example of the documentation, the README and the docstrings works, and shows what it says."""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

import renderapi
from renderapi import _environment, cli, errors

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.rst"))
DOCTEST_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

_BLOCK = re.compile(r"^(?P<indent> *)\.\. code-block:: *(?P<language>\w+)\s*$")
_FENCE = re.compile(r"^```(?P<language>\w*)\s*$")


def _name(path):
    return path.relative_to(ROOT).as_posix()


# ------------------------------------------------------------------------------------------ reading pages


@dataclass
class Block:
    """A piece of a page: its language, its text, and the line (from 1) on which the text begins."""

    language: str
    text: str
    line: int
    after_python: bool = False


def blocks_of_rst(content):
    """Give the code blocks and doctests of a page, in order."""
    lines = content.split("\n")
    found = []
    index = 0
    end_of_python = None
    while index < len(lines):
        line = lines[index]
        directive = _BLOCK.match(line)
        if directive:
            follows = end_of_python is not None and not "".join(lines[end_of_python:index]).strip()
            start = index + 1
            while lines[start].strip().startswith(":"):
                start += 1
            stop = start
            while stop < len(lines) and (not lines[stop].strip() or _indent(lines[stop]) > _indent(line)):
                stop += 1
            text = textwrap.dedent("\n".join(lines[start:stop])).rstrip() + "\n"
            language = directive["language"]
            if language == "python" and text.lstrip("\n").startswith(">>>"):
                language = "doctest"
            found.append(Block(language, text, start + 1, follows))
            end_of_python = stop if language == "python" else None
            index = stop
        elif line.lstrip().startswith(">>>"):
            stop = index
            while stop < len(lines) and lines[stop].strip():
                stop += 1
            found.append(Block("doctest", textwrap.dedent("\n".join(lines[index:stop])) + "\n", index + 1))
            index = stop
        else:
            index += 1
    return found


def blocks_of_markdown(content):
    """Give the fenced blocks of a page, in order; one without a language is output or a command."""
    found, opened, end_of_python = [], None, None
    lines = content.split("\n")
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence and opened is None:
            follows = end_of_python is not None and not "".join(lines[end_of_python : number - 1]).strip()
            opened = Block(fence["language"] or "text", "", number + 1, follows)
        elif fence:
            found.append(opened)
            end_of_python = number if opened.language == "python" else None
            opened = None
        elif opened is not None:
            opened.text += line + "\n"
    return found


def _indent(line):
    return len(line) - len(line.lstrip())


def blocks_of(path):
    read = blocks_of_markdown if path.suffix == ".md" else blocks_of_rst
    return read(path.read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------ running them


def run_page(path, blocks):
    """Run the Python of a page in one namespace, and compare what it prints with what the page shows."""
    namespace = {"__name__": "__main__"}
    try:
        with _signs_of_neglect_are_the_readers_business():
            for block, following in zip(blocks, [*blocks[1:], None]):
                if block.language == "python":
                    printed = _printed(path, block, namespace)
                    shown = following.text if following and following.after_python else ""
                    if following is not None and following.language not in ("text", "console", "json"):
                        shown = ""
                    assert _same(shown, printed), (
                        f"{_name(path)}:{block.line} prints\n{printed}\nbut the page shows\n{shown}"
                    )
                elif block.language == "doctest":
                    _check_doctest(path, block, namespace)
    finally:
        _close(namespace)


def _printed(path, block, namespace):
    # empty lines before it, so that a traceback names the line of the page
    code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def _same(shown, printed):
    return doctest.OutputChecker().check_output(shown, printed, DOCTEST_OPTIONS)


def _check_doctest(path, block, namespace):
    test = doctest.DocTestParser().get_doctest(block.text, {}, _name(path), str(path), block.line - 1)
    test.globs = namespace
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=DOCTEST_OPTIONS, verbose=False)
    outcome = runner.run(test, out=report.write, clear_globs=False)
    assert not outcome.failed, report.getvalue()


@contextlib.contextmanager
def _signs_of_neglect_are_the_readers_business():
    """Let examples leave servers and connections to the end of the program, as a reader would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def _close(namespace):
    values = list(namespace.values())
    for value in values:
        if isinstance(value, renderapi.Render):
            value.close()
    for value in values:
        if hasattr(value, "shutdown") and hasattr(value, "url"):
            value.shutdown()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder, with an environment that is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=_name)
def test_examples_of_the_page_work(path, elsewhere):
    run_page(path, blocks_of(path))
