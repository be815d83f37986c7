"""Files of tile specs looked at without a server."""

import json

import pytest

from renderapi.client import check_jsonfiles
from renderapi.client.validation import TemTileSpecValidator
from renderapi.errors import RenderWarning, SpecError


def tile(tile_id, **changes):
    return {"tileId": tile_id, "z": 1.0, "width": 10, "height": 10, **changes}


@pytest.fixture
def written(tmp_path):
    def write(name, document):
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return str(path)

    return write


def test_of_many_tiles_just_those_are_named_that_an_import_would_refuse(written):
    tiles = [tile(str(n)) for n in range(5000)]
    tiles[1234]["transforms"] = {"type": "list", "specList": [{"type": "ref", "refId": "none"}]}
    tiles[4321]["transforms"] = {
        "type": "list",
        "specList": [{"type": "leaf", "className": "No", "dataString": ""}],
    }
    tiles[4999]["z"] = "high"
    found = check_jsonfiles([written("a.json", tiles)])
    assert [problem.tileId for problem in found.problems] == ["1234", "4321", "4999"]
    assert (found.tiles, found.zs) == (5000, [1.0])


def test_the_shared_transforms_are_known(written):
    tiles = [tile("a", transforms={"type": "list", "specList": [{"type": "ref", "refId": "lens"}]})]
    affine = {"className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": "1 0 0 1 0 0"}
    path, transforms = written("a.json", tiles), written("t.json", [{"type": "leaf", "id": "lens", **affine}])
    assert check_jsonfiles(path, transforms).problems == []
    assert len(check_jsonfiles(path).problems) == 1


def test_the_same_id_in_two_files_is_told(written):
    first, second = written("a.json", [tile("a")]), written("b.json", [tile("b"), tile("a", z=2.0)])
    [problem] = check_jsonfiles([first, second]).problems
    assert (problem.path, problem.tileId) == (second, "a")
    assert "the later" in problem.text


def test_a_file_that_cannot_be_read_does_not_hide_the_others(written):
    found = check_jsonfiles([written("a.json", {"tileId": "a"}), written("b.json", [tile("b")])])
    assert [(problem.tileId, found.tiles) for problem in found.problems] == [(None, 1)]


def test_a_validator_is_asked_about_good_tiles(written):
    found = check_jsonfiles(
        [written("a.json", [tile("a"), {"tileId": "b"}])], validator=TemTileSpecValidator()
    )
    assert [problem.text for problem in found.problems] == [
        "it has no mipmap levels",
        "tile 'b' has no width or height",
    ]


def test_doubts_are_warned_of_as_by_an_import(written):
    with pytest.warns(RenderWarning, match="1 of the tile specs imported have no z"):
        assert check_jsonfiles([written("a.json", [tile("a", z=None)])]).zs == []


def test_progress_tells_of_files(written):
    told = []
    check_jsonfiles(
        [written("a.json", []), written("b.json", [])], progress=lambda *steps: told.append(steps)
    )
    assert told == [(1, 2), (2, 2)]


def test_transforms_that_are_bad_are_an_error(written):
    with pytest.raises(SpecError):
        check_jsonfiles([], written("t.json", [{}]))
