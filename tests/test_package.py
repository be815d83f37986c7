"""The package as a whole: what it loads, what it needs, what it ships."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import renderapi
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

ROOT = Path(renderapi.__file__).resolve().parent
CHECKOUT = Path(__file__).resolve().parents[1]


@cache
def parsed(path):
    return ast.parse(path.read_text())


@cache
def imported_by(code):
    """Return the names of the modules that are loaded after some code ran in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_the_version_is_that_of_the_distribution():
    assert renderapi.__version__ == importlib.metadata.version("render-python") == "3.0.0"


def test_no_tool_for_documentation_and_no_relic_is_required():
    required = importlib.metadata.requires("render-python")
    names = {re.match(r"[\w-]+", line)[0].lower() for line in required if "extra ==" not in line}
    assert names == {"numpy", "requests", "urllib3", "pillow", "marshmallow", "jsonschema"}


def test_the_solver_says_how_scipy_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    tiles = [TileSpec(tileId=name, z=1, width=9, height=9, tforms=[AffineModel()]) for name in "pq"]
    points = [[1, 1, 8], [1, 8, 1]]
    ends = {"pGroupId": "1.0", "pId": "p", "qGroupId": "1.0", "qId": "q"}
    document = {**ends, "matches": {"p": points, "q": points, "w": [1, 1, 1]}}
    with pytest.raises(ImportError, match=re.escape('needs scipy: pip install "render-python[solve]>=3"')):
        renderapi.solve.solve_matches(tiles, [document])


def test_every_requirement_has_a_reason():
    text = (CHECKOUT / "CONTRIBUTING.md").read_text()
    for line in importlib.metadata.requires("render-python"):
        name = re.match(r"[\w-]+", line)[0].lower()
        if name != "render-python" and not name.startswith(("types-", "scipy-stubs")):
            assert name in text.lower(), f"{name} has no reason in CONTRIBUTING.md"


def test_every_folder_with_modules_is_a_package_that_ships():
    # the build takes what has an __init__.py, all the way up
    for path in (CHECKOUT / "renderapi").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path.parent


def test_no_python_2():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"six", "__builtin__", "urllib2"} & {name.partition(".")[0] for name in names}, (
                    path
                )
            if isinstance(node, ast.ClassDef):
                assert not any(isinstance(base, ast.Name) and base.id == "object" for base in node.bases), (
                    path
                )


def test_importing_loads_numpy_and_requests_and_nothing_heavy():
    loaded = imported_by("import renderapi")
    heavy = {
        "scipy",
        "pandas",
        "pyarrow",
        "PIL",
        "marshmallow",
        "jsonschema",
        "flask",
        "waitress",
        "sqlite3",
        "msgspec",
        "tqdm",
        "difflib",
        "numba",
        "tifffile",
        "pytest",
        "multiprocessing",
        "concurrent.futures.process",
        "concurrent.futures.thread",
        "subprocess",
        "glob",
    } - imported_by("import numpy, requests")
    assert not heavy & loaded
    assert {"numpy", "requests"} <= loaded


def test_importing_changes_nothing_for_others():
    code = (
        "import json, logging, numpy, requests, warnings\n"
        "before = requests.models.complexjson, logging.getLogger().handlers[:], warnings.filters[:]\n"
        "import renderapi\n"
        "assert before == (requests.models.complexjson, logging.getLogger().handlers, warnings.filters)\n"
    )
    imported_by(code)


def test_no_logger_of_the_package_prints_by_itself():
    code = (
        "import logging, renderapi\n"
        "for name, logger in logging.root.manager.loggerDict.items():\n"
        "    if name.startswith('renderapi') and isinstance(logger, logging.Logger):\n"
        "        assert all(type(h).__name__ == 'NullHandler' for h in logger.handlers), name\n"
    )
    imported_by(code)


@pytest.fixture(scope="module")
def rooms():
    """Return the program beside the docs that has the floors."""
    spec = importlib.util.spec_from_file_location("rooms", CHECKOUT / "docs" / "rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_floors_are_kept(rooms):
    within = set()
    for room, others in rooms.imports().items():
        for other in others - {below for above, below in rooms.UPWARDS if above == room}:
            assert rooms.floor_of(other) <= rooms.floor_of(room), f"{room} imports {other}"
            if rooms.floor_of(other) == rooms.floor_of(room) > 0:
                within.add((room, other))
    assert within == rooms.SAME_FLOOR


def test_every_room_has_a_floor_and_every_floor_its_rooms(rooms):
    assert {room for floor in rooms.FLOORS for room in floor} == set(rooms.imports())
    assert all(below in rooms.imports()[above] for above, below in rooms.UPWARDS)


def test_wings_know_only_what_is_below_them(rooms):
    for room, rows in rooms.WINGS.items():
        row_of = {name: number for number, row in enumerate(rows) for name in row}
        below = rooms.inner_imports(room)
        assert row_of.keys() == below.keys(), room
        for name, others in below.items():
            for other in others:
                assert row_of[other] < row_of[name], f"{room}: {name} imports {other}"


def test_only_the_store_speaks_sql():
    """A query is given to a method of sqlite3, or is a text that begins like one or sets conditions."""
    sql = re.compile(
        r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|PRAGMA)\s.*\b(FROM|INTO|SET|AS|TABLE)\b|.*= [?:]"
    )
    home = ROOT / "server"
    for path in home.rglob("*.py"):
        if home / "store" in path.parents:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                assert "sqlite3" not in names, path
            elif isinstance(node, ast.Attribute):
                assert node.attr not in ("execute", "executemany", "executescript", "cursor"), path
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not sql.match(node.value), (path, node.value)


def test_the_picture_of_the_rooms_is_that_of_their_imports(rooms):
    assert rooms.PICTURE.read_text() == rooms.drawing(), "python docs/rooms.py draws it anew"


def test_the_table_of_floors_for_contributors_names_every_room(rooms):
    text = (CHECKOUT / "CONTRIBUTING.md").read_text()
    table = text[text.index("| floor |") : text.index("`pytest_renderapi.py`")]
    for number, names in enumerate(rooms.FLOORS[:-1]):
        lines = [line for line in table.splitlines() if line.startswith(f"| {number} |")]
        found = set(re.findall(r"`(\w+)`", " ".join(line.split("|")[2] for line in lines)))
        assert found == set(names) - {"__main__"}


def imports_on_loading(path, modules):
    """Yield the modules of the package that a file names outside functions, for the type checker too."""
    waiting = list(parsed(path).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in modules or node.module in modules:
                    yield name if name in modules else node.module
        waiting.extend(ast.iter_child_nodes(node))


def test_no_modules_import_each_other_in_a_circle():
    modules = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    below = {name: set(imports_on_loading(path, modules)) - {name} for name, path in modules.items()}
    # what imports nothing that is left goes, again and again; a circle stays, with what stands on it
    while free := {name for name in below if not below[name] & below.keys()}:
        below = {name: below[name] for name in below.keys() - free}
    assert not below, {name: sorted(others & below.keys()) for name, others in below.items()}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_names_of_others(path, code, modules):
    """Yield what code in a file of the package names that is private to another package or module.

    A private module is for the package that it lies in, a private name for its module. The private modules at the
    root are for the whole house.
    """
    here = path.with_suffix("").parts
    here = here[:-1] if here[-1] == "__init__" else here
    package = here if path.name == "__init__.py" else here[:-1]
    bound = {}
    tree = ast.parse(code)

    def hidden(parts):
        for place, part in enumerate(parts):
            holder = tuple(parts[:place])
            is_module = (*holder, part) in modules
            if is_private(part) and (package[:place] if is_module else here) != holder:
                return ".".join(parts)
        return None

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == here[0]:
            for alias in node.names:
                bound[alias.asname or alias.name] = (*node.module.split("."), alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                if parts[0] == here[0]:
                    bound[alias.asname or parts[0]] = parts if alias.asname else parts[:1]
                    bound[alias.name] = parts
    yield from filter(None, map(hidden, bound.values()))
    for node in ast.walk(tree):
        names = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id in bound:
            parts = list(bound[node.id])
            while tuple(parts) in modules and names:  # what a class hides in its instances is another matter
                parts.append(names.pop(0))
            if name := hidden(parts):
                yield name


def test_what_is_private_stays_in_its_package():
    paths = [path.relative_to(ROOT.parent) for path in ROOT.rglob("*.py")]
    modules = {
        path.parts[:-1] if path.name == "__init__.py" else path.with_suffix("").parts for path in paths
    }
    found = {
        (str(path), name)
        for path in paths
        for name in private_names_of_others(path, (ROOT.parent / path).read_text(), modules)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("path", "code", "expected"),
    [
        ("a/b/m.py", "from a.c._x import y", ["a.c._x.y"]),
        ("a/b/m.py", "from a.c import _x", ["a.c._x"]),
        ("a/b/m.py", "import a.c._x", ["a.c._x", "a.c._x"]),
        ("a/b/m.py", "from a.c import n\nn._hidden(n.shown)", ["a.c.n._hidden"]),
        ("a/b/m.py", "from a import c\nc.n._hidden.more", ["a.c.n._hidden"]),
        ("a/b/m.py", "from a.c.n import _hidden", ["a.c.n._hidden"]),
        ("a/c/m.py", "from a.c.n import _hidden", ["a.c.n._hidden"]),
        ("a/c/m.py", "from a.c import _x, n\n_x.shown(), n.shown()._hidden", []),
        ("a/c/d/m.py", "from a.c._x import y", []),
        ("a/c/__init__.py", "from a.c._x import y", []),
        ("a/b/m.py", "from a import _z\n_z.shown(__file__)", []),
        ("a/b/m.py", "from a.c.n import Class\nClass()._hidden", []),
    ],
)
def test_private_names_of_others_are_found(path, code, expected):
    modules = {
        ("a",),
        ("a", "_z"),
        ("a", "b"),
        ("a", "b", "m"),
        ("a", "c"),
        ("a", "c", "_x"),
        ("a", "c", "n"),
    }
    found = sorted(set(private_names_of_others(Path(path), code, modules)))
    assert found == sorted(set(expected))


def test_the_package_is_typed_and_ships_its_schemas():
    assert (ROOT / "py.typed").exists()
    assert len(list((ROOT / "schemas").glob("*.json"))) > 10


def test_what_the_package_shows_is_what_it_offers():
    shown = dir(renderapi)
    assert shown == sorted(
        {
            *renderapi.__all__,
            "align",
            "geometry",
            "match",
            "plot",
            "rendering",
            "schemas",
            "server",
            "solve",
            "tables",
            "transfer",
            "view",
            "viewing",
        }
    )
    assert all(hasattr(renderapi, name) for name in shown)
    assert "http" not in shown


@pytest.mark.parametrize("name", ["geometry", "rendering", "schemas", "server", "transfer"])
def test_what_loads_when_it_is_named(name):
    assert f"renderapi.{name}" not in imported_by("import renderapi")
    assert f"renderapi.{name}" in imported_by(f"import renderapi; renderapi.{name}")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        renderapi.nothing


@pytest.mark.slow
def test_a_program_sees_the_types_of_images(tmp_path):
    api = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    program.write_text(
        "import renderapi\n"
        "render = renderapi.connect('h', 1, 'o', 'p', web_only=True)\n"
        "reveal_type(renderapi.rendering.render({}))\n"
        "reveal_type(renderapi.rendering.render16({}))\n"
        "reveal_type(renderapi.image.get_bb_image('s', 1.0, 0, 0, 5, 5, render=render))\n"
        "reveal_type(renderapi.image.get_tile_image_data('s', 't', render=render))\n"
        "reveal_type(renderapi.image.get_section_image('s', 1.0, render=render))\n"
        "reveal_type(renderapi.image.get_renderparameters_image({}, render=render))\n"
        "reveal_type(renderapi.geometry.bounding_boxes([]))\n"
        "renderapi.image.get_bb_image('s', 1.0, 0, 0, 5, 5, render=render).no_such_method()\n"
    )
    # as a program that has the package installed, without the settings of this checkout
    words = ["--config-file", "", "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent"]
    output, errors, _ = api.run([*words, str(program)])
    revealed = re.findall(r'Revealed type is "(.*)"', output)
    assert errors == "" and len(revealed) == 7, output
    assert all("ndarray" in text for text in revealed), output
    assert re.search("8Bit|uint8", revealed[0]) and re.search("16Bit|uint16", revealed[1])
    assert '"no_such_method"' in output


def test_names_that_are_offered_exist():
    for name in renderapi.__all__:
        assert hasattr(renderapi, name)
    assert renderapi.external.processpools.stdlib_pool.WithThreadPool


def test_the_command_is_installed():
    [entry] = importlib.metadata.entry_points(group="console_scripts", name="renderapi")
    assert callable(entry.load())


def test_it_also_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "renderapi", "--version"], capture_output=True, text=True)
    assert done.stdout == f"render-python {renderapi.__version__}\n"
