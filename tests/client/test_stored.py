"""After an import by Java it is looked whether the tiles are there."""

import json

import pytest

import renderapi
from renderapi import _json
from renderapi.client import import_jsonfiles, import_jsonfiles_validate_client, import_tilespecs_parallel
from renderapi.errors import ClientScriptError, ImportFailedError, RenderWarning
from renderapi.external.processpools.stdlib_pool import WithThreadPool
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec, read_tilespecs


@pytest.fixture(scope="module")
def server():
    with serve_background() as running:
        yield running


@pytest.fixture
def render(server):
    render = server.connect(owner="o", project="p")
    renderapi.stack.delete_stack("s", render=render)
    renderapi.stack.create_stack("s", render=render)
    return render


def tiles(*numbers):
    return [TileSpec(tileId=f"t{n}", z=n // 3, width=50, height=40, minX=0) for n in numbers]


def store(render, *numbers):
    """What the stand-in for Java, which stores nothing, should have done."""
    renderapi.client.import_tilespecs("s", tiles(*numbers), engine="python", render=render)


def state(render):
    return renderapi.stack.get_full_stack_metadata("s", render=render)["state"]


@pytest.fixture
def files(tmp_path):
    paths = []
    for first in (0, 3):
        paths.append(tmp_path / f"{first}.json")
        paths[-1].write_text(json.dumps([t.to_dict() for t in tiles(first, first + 1, first + 2)]))
    return [str(path) for path in paths]


IMPORTS = {
    "import_tilespecs": lambda files, **more: renderapi.client.import_tilespecs(
        "s", tiles(*range(6)), **more
    ),
    "import_tilespecs_parallel": lambda files, **more: import_tilespecs_parallel(
        "s", iter(tiles(*range(6))), poolsize=2, mpPool=WithThreadPool, **more
    ),
    "import_single_json_file": lambda files, **more: renderapi.client.import_single_json_file(
        "s", files[1], **more
    ),
    "importJsonClient": lambda files, **more: renderapi.client.importJsonClient("s", files, **more),
    "import_jsonfiles": lambda files, **more: import_jsonfiles("s", files, **more),
    "import_jsonfiles_parallel": lambda files, **more: renderapi.client.import_jsonfiles_parallel(
        "s", files, mpPool=WithThreadPool, **more
    ),
    "import_jsonfiles_and_transforms_parallel_by_z": lambda files, **more: (
        renderapi.client.import_jsonfiles_and_transforms_parallel_by_z(
            "s", files, files, mpPool=WithThreadPool, **more
        )
    ),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_tiles_that_are_not_there_after_a_good_end_are_an_error(render, script, files, name):
    store(render, 0, 1, 2, 5)
    with pytest.raises(ImportFailedError, match=r"2 of [36] tile specs are not in stack s: t3, t4") as caught:
        IMPORTS[name](files, client_script=str(script.path), render=render)
    assert caught.value.failures[0][0] == ["t3", "t4"]
    assert caught.value.stored in (1, 4)
    assert state(render) == "LOADING"


@pytest.mark.parametrize("name", IMPORTS)
def test_tiles_that_are_there_are_found(render, script, files, name):
    store(render, *range(7))
    IMPORTS[name](files, client_script=str(script.path), render=render)


@pytest.mark.parametrize("name", IMPORTS)
def test_nobody_looks_where_that_is_not_wanted(render, script, files, name):
    store(render, 7)
    IMPORTS[name](files, client_script=str(script.path), check=False, render=render)


def test_what_was_read_and_not_touched_stays_so(render, script):
    store(render, 0)
    [read] = read_tilespecs(json.dumps([tiles(0)[0].to_dict()]).encode())
    renderapi.client.import_tilespecs("s", [read], client_script=str(script.path), render=render)
    assert vars(read).keys() == {"_raw" if _json._HAS_MSGSPEC else "_doc"}


def test_a_tile_that_came_twice_is_found_wherever_it_is(render, script):
    store(render, 0)
    twice = [TileSpec(tileId="t0", z=z, width=50, height=40, minX=0) for z in (0, 9)]
    renderapi.client.import_tilespecs("s", twice, client_script=str(script.path), render=render)


def test_what_a_validator_rejects_is_a_warning(render, script, files):
    store(render, 0, 1, 2, 3, 5)
    with pytest.warns(RenderWarning, match=r"1 of 6 .*: t4\. The validator may have rejected"):
        import_jsonfiles_validate_client("s", files, client_script=str(script.path), render=render)


def test_with_call_nothing_is_raised(render, script, files):
    script.write("exit 3")
    with (
        pytest.warns(RenderWarning, match="exit status 3"),
        pytest.warns(RenderWarning, match="6 of 6 tile specs are not in stack s"),
    ):
        import_jsonfiles(
            "s",
            files,
            subprocess_mode="call",
            client_script=str(script.path),
            close_stack=False,
            render=render,
        )


@pytest.mark.parametrize("broken", ["server", "file"])
def test_what_cannot_be_checked_is_a_warning(render, script, files, tmp_path, broken):
    where = {"render": render}
    if broken == "server":
        where = {"render": renderapi.connect("127.0.0.1", 1, "o", "p", web_only=True, retries=0)}
    else:
        (tmp_path / "3.json").write_text("[{")
    with pytest.warns(RenderWarning, match=r"ended well, but whether .* in stack s could not be checked: ."):
        renderapi.client.import_single_json_file("s", files[1], client_script=str(script.path), **where)


@pytest.mark.parametrize("name", IMPORTS)
def test_a_client_that_takes_too_long_is_ended(render, script, files, name):
    script.write("sleep 30")
    with pytest.raises(ClientScriptError, match=r"did not finish within 0\.3 s"):
        IMPORTS[name](files, client_script=str(script.path), timeout=0.3, render=render)
    assert state(render) == "LOADING"
