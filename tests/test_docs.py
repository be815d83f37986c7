"""Every example of the documentation, the README and the docstrings works, and shows what it says."""

import argparse
import ast
import contextlib
import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import shlex
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from numpydoc import validate

import renderapi
from renderapi import cli, errors, plot, transform
from renderapi.cli.options import Exit
from renderapi.errors import RenderWarning
from renderapi.http.environment import ENVIRONMENT

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.rst"))]
API = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "api").glob("*.rst")))
COMPARED = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _name(path):
    return path.relative_to(ROOT).as_posix()


# ------------------------------------------------------------------------------------------ reading pages


@dataclass
class Block:
    """A piece of a page: its language, its text, and the line (from 1) on which the text begins."""

    language: str
    text: str
    line: int
    #: nothing stands between it and a block of Python, so it may be what that prints
    after_python: bool = False


_DIRECTIVE = re.compile(r"^ *\.\. code-block:: *(?P<language>\w+)\s*$")
_FENCE = re.compile(r"^```(?P<language>\w*)\s*$")


def blocks_of_rst(content):
    """Return the code blocks and doctests of a page, in order."""
    lines = content.split("\n")
    found = []
    index = 0
    end_of_python = None
    while index < len(lines):
        line = lines[index]
        stop = index + 1
        if directive := _DIRECTIVE.match(line):
            follows = end_of_python is not None and not "".join(lines[end_of_python:index]).strip()
            start = index + 1
            while lines[start].strip().startswith(":"):
                start += 1
            stop = start
            while stop < len(lines) and (not lines[stop].strip() or _indent(lines[stop]) > _indent(line)):
                stop += 1
            text = textwrap.dedent("\n".join(lines[start:stop])).rstrip() + "\n"
            found.append(Block(directive["language"], text, start + 1, follows))
            end_of_python = stop if directive["language"] == "python" else None
        elif line.lstrip().startswith(">>>"):
            while stop < len(lines) and lines[stop].strip():
                stop += 1
            found.append(Block("doctest", textwrap.dedent("\n".join(lines[index:stop])) + "\n", index + 1))
        index = stop
    return found


def blocks_of_markdown(content):
    """Return the fenced blocks of a page, in order; one without a language is output, or a command."""
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


def _need(name):
    """Skip what needs packages that are not installed."""
    if "tables" in name:
        pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
    if "plot" in name:
        pytest.importorskip("matplotlib")
    if any(word in name for word in ("matching", "alignment", "montage", "quick_start")):
        pytest.importorskip("cv2")


def run_page(name, blocks):
    """Run the Python of a page in one namespace, and compare what it prints with what the page shows."""
    namespace = {"__name__": "__main__"}
    try:
        for block, following in zip(blocks, [*blocks[1:], Block("", "", 0)]):
            if block.language == "python":
                shown = following.text if following.language == "text" and following.after_python else ""
                printed = _printed(name, block, namespace)
                assert doctest.OutputChecker().check_output(shown, printed, COMPARED), (
                    f"{name}:{block.line} prints\n{printed}\nbut the page shows\n{shown}"
                )
            elif block.language == "doctest":
                test = doctest.DocTestParser().get_doctest(block.text, {}, name, name, block.line - 1)
                test.globs = namespace
                _check(test)
    finally:
        _close(namespace)


def _printed(name, block, namespace):
    # empty lines before it, so that a traceback names the line of the page
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def _check(test):
    report = io.StringIO()
    outcome = doctest.DocTestRunner(optionflags=COMPARED).run(test, out=report.write, clear_globs=False)
    assert outcome.attempted, f"there is no example in {test.name}"
    assert not outcome.failed, report.getvalue()


def _close(namespace):
    """Close what a reader would leave to the end of the program."""
    values = list(namespace.values())
    for value in values:
        if isinstance(value, renderapi.Render):
            value.close()
    for value in values:
        if type(value).__name__ == "BackgroundServer":
            value.shutdown()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the keyboard; the environment is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def _has_examples(path):
    return any(block.language in ("python", "doctest") for block in blocks_of(path))


# the guide names the folder of scripts of a machine that is not this one
@pytest.mark.filterwarnings("ignore:no Java clients on this connection")
@pytest.mark.parametrize("path", [page for page in PAGES if _has_examples(page)], ids=_name)
def test_the_examples_of_a_page_work(path, elsewhere):
    _need(_name(path))
    run_page(_name(path), blocks_of(path))


def _with_examples():
    """Return the names of the modules that have examples in docstrings, without importing them."""
    package = Path(renderapi.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(_with_examples()))
def test_the_examples_of_docstrings_work(name, elsewhere):
    _need(name)
    found = doctest.DocTestFinder().find(importlib.import_module(name), name)
    tests = [test for test in found if test.examples]
    assert tests
    for test in tests:
        _check(test)


# ------------------------------------------------------------------------------- that this can fail at all


BROKEN = {
    "an example that raises": (".. code-block:: python\n\n   1 / 0\n", ZeroDivisionError),
    "output that is not shown": (".. code-block:: python\n\n   print(1)\n", AssertionError),
    "output that is another": (
        ".. code-block:: python\n\n   print(1)\n\n.. code-block:: text\n\n   2\n",
        AssertionError,
    ),
    "a doctest that gives something else": (">>> 1 + 1\n3\n", AssertionError),
    "a doctest that raises": (">>> renderapi.nothing\n", AssertionError),
    "a name of another page": (".. code-block:: python\n\n   server.shutdown()\n", NameError),
    "a warning": (
        ".. code-block:: python\n\n   from renderapi.tilespec import TileSpec\n   TileSpec(widht=5)\n",
        RenderWarning,
    ),
}


@pytest.mark.parametrize(("content", "error"), BROKEN.values(), ids=BROKEN)
def test_a_broken_example_is_found(content, error):
    with pytest.raises(error):
        run_page("page.rst", blocks_of_rst(content))


def test_blocks_are_found_where_they_stand():
    content = (
        "Text\n\n.. code-block:: python\n   :caption: x\n\n   a = 1\n\n   print(a)\n\n"
        ".. code-block:: text\n\n   1\n\n>>> a\n1\n\nend"
    )
    assert [(block.language, block.line, block.after_python) for block in blocks_of_rst(content)] == [
        ("python", 5, False),
        ("text", 11, True),
        ("doctest", 14, False),
    ]
    run_page("page.rst", blocks_of_rst(content))
    markdown = "# Title\n\n```python\nprint(1)\n```\n\n```\n1\n```\n"
    assert [(block.language, block.text) for block in blocks_of_markdown(markdown)] == [
        ("python", "print(1)\n"),
        ("text", "1\n"),
    ]


def test_nothing_is_left_out_by_a_doctest_option():
    for page in PAGES:
        assert "doctest:" not in page.read_text(encoding="utf-8"), _name(page)


# ------------------------------------------------------------------------------------- what is written there


def _commands():
    for page in PAGES:
        for block in blocks_of(page):
            for line in block.text.splitlines() if block.language in ("console", "text") else ():
                for part in re.split(r"&&|\brender-python (?=renderapi)", line.removeprefix("$ ")):
                    # not what it says: "renderapi ls: no connection ..."
                    if re.match(r"\s*renderapi (?!\w*:)", part):
                        yield pytest.param(part.strip(), id=f"{_name(page)}: {part.strip()}")


@pytest.mark.parametrize("command", list(_commands()))
def test_a_command_is_understood(command):
    options = cli.parser().parse_args(shlex.split(command.partition(" > ")[0])[1:])
    assert callable(options.run)


_REFERENCE = re.compile(r"(?<![`:])`(renderapi(?:\.\w+)+)`(?![`_])")


def _resolve(name):
    """Return what a full name stands for; an attribute goes before a module of that name."""
    found, *parts = importlib.import_module("renderapi"), *name.split(".")[1:]
    for place, part in enumerate(parts, 1):
        if not hasattr(found, part):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(".".join(["renderapi", *parts[:place]]))
        found = getattr(found, part)
    return found


def test_every_name_that_is_referred_to_exists():
    names = {
        (_name(page), name)
        for page in PAGES[1:]
        for name in _REFERENCE.findall(page.read_text(encoding="utf-8"))
    }
    assert len(names) > 80
    for page, name in sorted(names):
        try:
            _resolve(name)
        except AttributeError as error:
            raise AssertionError(f"{page} refers to {name}") from error


def test_the_journeys_go_through_code_that_exists():
    text = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    names = set(re.findall(r"``(renderapi\.[\w.]+)``", text))
    assert len(names) > 30
    for name in sorted(names):
        assert pkgutil.resolve_name(name), name


def _documented():
    """Return what the API pages have, as full names."""
    module, names = "", set()
    for line in API.splitlines():
        if current := re.match(r"\.\. (?:current)?module:: (\S+)", line):
            module = current[1]
        elif entry := re.match(r"\.\. auto(?:function|class|exception):: (\S+)", line):
            names.add(f"{module}.{entry[1]}")
        elif whole := re.match(r"\.\. automodule:: (\S+)", line):
            names |= {f"{whole[1]}.{name}" for name in _resolve(whole[1]).__all__}
    return names


def test_every_public_name_is_on_a_page_of_the_api():
    documented = {id(_resolve(name)) for name in _documented()}
    modules = re.findall(
        r"^`(renderapi\.\w+)`", (DOCS / "api" / "index.rst").read_text("utf-8"), re.MULTILINE
    )
    missing = []
    for module in map(importlib.import_module, modules):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            # names that a module has from another one are documented there; modules have no __module__
            if getattr(value, "__module__", "").startswith("renderapi.") and callable(value):
                missing += [f"{module.__name__}.{name}"] * (id(value) not in documented)
    assert not missing


def test_every_module_has_a_page_of_the_api():
    index = (DOCS / "api" / "index.rst").read_text(encoding="utf-8")
    pages = {page.stem for page in (DOCS / "api").glob("*.rst")} - {"index"}
    assert pages == set(re.findall(r"^   (\w+)$", index, re.MULTILINE))
    public = {path.stem for path in Path(renderapi.__file__).parent.iterdir() if path.suffix in ("", ".py")}
    programs = {"cli", "demo"}  # what people start, not what they import
    assert pages == {name for name in public if not name.startswith("_")} - programs


def _docstrings():
    """Yield every class and function of the package: its place, its node and its docstring."""
    package = Path(renderapi.__file__).parent
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (text := ast.get_docstring(node)):
                yield f"{inside}:{node.lineno} {node.name}", node, text


def test_no_docstring_begins_with_what_a_function_gives():
    places = [place for place, _, text in _docstrings() if re.match(r"Gives?\b", text)]
    assert not places, "begin with what it is for"


def test_what_a_public_function_returns_is_explained_like_its_parameters():
    missing = []
    for place, node, text in _docstrings():
        if isinstance(node, ast.ClassDef) or node.name.startswith("_") or "Parameters\n---" not in text:
            continue
        returned = ast.unparse(node.returns) if node.returns else "None"
        explained = re.search("^(Returns|Yields)\n---", text, re.MULTILINE)
        if returned not in ("None", "NoReturn") and not explained:
            missing.append(place)
    assert not missing


def _public_calls():
    """Yield the functions, classes and public methods that are on the pages of the API, with their names."""
    for name in sorted(_documented()):
        value = _resolve(name)
        yield name, value
        if inspect.isclass(value):
            for part, found in vars(value).items():
                method = getattr(found, "__func__", found)  # of a class or static method
                # conformance tests have fixtures for parameters, which are functions to older versions of pytest
                fixture = hasattr(found, "_pytestfixturefunction")
                if inspect.isfunction(method) and not (fixture or re.match("_|test_", part)):
                    yield f"{name}.{part}", method


def test_every_public_parameter_is_documented():
    missing = []
    for name, value in _public_calls():
        page = validate.Validator(validate.get_doc_object(value))
        assert page.raw_doc, f"{name} is not explained at all (GL08)"
        explained = {**page.doc_all_parameters}
        if inspect.isclass(value):
            # such are made by that function, or like the class that they are made of
            if "made by `" in page.doc["Summary"][0] or not vars(value).keys() & {"__init__", "__new__"}:
                continue
            attributes = {
                each.strip(): (entry.type, "".join(entry.desc))
                for entry in page.doc["Attributes"]
                for each in entry.name.split(",")
            }
            explained = attributes | explained
        # those are settings of the connection, and what an error says
        asked = set(page.signature_parameters) - {"self", "cls", "*args", "**kwargs", "**details"}
        for parameter in sorted(asked | page.doc_all_parameters.keys()):
            if parameter not in explained:
                missing.append(f"{name}: {parameter} is missing (PR01)")
            elif not "".join(explained[parameter][1]).strip():
                missing.append(f"{name}: {parameter} is not explained (PR07)")
        if not inspect.isclass(value):
            known = {each.lstrip("*") for each in page.signature_parameters}
            unknown = {each for each in page.doc_all_parameters if each.lstrip("*") not in known}
            missing += [f"{name}: there is no {parameter} (PR02)" for parameter in sorted(unknown)]
    assert not missing, "\n".join(missing)


def test_the_gallery_has_every_plot_and_every_transform():
    # that their code runs is seen where the documentation is made
    page = (DOCS / "gallery.rst").read_text(encoding="utf-8")
    transforms = {name for name in transform.__all__ if inspect.isclass(getattr(transform, name))}
    wanted = {f"plot.{name}" for name in plot.__all__} | {f"transform.{name}" for name in transforms}
    # a base class, and the settings of a fit
    wanted -= {"transform.Transform", "transform.Ransac"}
    assert wanted - set(re.findall(r"`renderapi\.((?:plot|transform)\.\w+)`", page)) == set()


def test_every_error_is_explained():
    page = (DOCS / "errors.rst").read_text(encoding="utf-8")
    for name in errors.__all__:
        assert re.search(rf"\b{name}\b", page), name


def test_every_environment_variable_is_explained():
    page = (DOCS / "environment.rst").read_text(encoding="utf-8")
    for setting, variables in ENVIRONMENT.items():
        row = next(line for line in page.splitlines() if line.startswith(f"``{setting}``"))
        assert re.findall(r"``(\w+)``", row)[1 : 1 + len(variables)] == list(variables)


def test_every_option_of_the_command_is_explained():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    waiting, options = [cli.parser()], set()
    while waiting:
        for action in waiting.pop()._actions:
            options |= {option for option in action.option_strings if option.startswith("--")}
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
    assert len(options) > 10
    assert {option for option in options - {"--help"} if not re.search(rf"{option}(?![\w-])", text)} == set()


def test_every_verb_of_the_command_stands_beside_its_functions():
    page = (DOCS / "command.rst").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^   \* - ``([\w-]+)``\n(.*?)(?=^   \* - |^\S)", page, re.MULTILINE | re.DOTALL))
    commands = next(action for action in cli.parser()._actions if action.choices)
    assert list(rows) == list(commands.choices)
    for name, verb in commands.choices.items():
        assert re.findall(r"(?<!`)`(renderapi\.[\w.]+)`(?!`)", rows[name]) == verb.get_default("library")


def test_every_way_the_command_ends_is_explained():
    page = (DOCS / "command.rst").read_text(encoding="utf-8")
    assert re.findall(r"^(\d+) +\S", page, re.MULTILINE) == [str(int(code)) for code in Exit]


def test_every_setting_of_a_connection_is_explained():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    settings = inspect.signature(renderapi.connect).parameters.keys() - {"kwargs"}
    assert {name for name in settings if not re.search(rf"``{name}``|\b{name}=", text)} == set()


def test_every_corrected_defect_is_in_the_list_of_differences():
    page = (DOCS / "compatibility.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^([A-Z]\d+) +\S", page, re.MULTILINE)
    known = {"T": 25, "S": 11, "H": 18, "C": 11, "U": 9}
    assert sorted(listed) == sorted(f"{kind}{n}" for kind, last in known.items() for n in range(1, last + 1))
