"""Verbs that store, compare and delete: import, validate, pairs, diff, rm."""

import gzip
import io
import json
import sys

import pytest

import renderapi
from renderapi import demo
from renderapi.errors import NotFoundError


@pytest.fixture
def fresh(render):
    """Return the name of a stack that is gone after the test, however that ends."""
    yield "fresh"
    renderapi.stack.delete_stack("fresh", render=render)


@pytest.fixture
def bad_file(tmp_path):
    """Return a file of three tiles: one without size, one good, one twice."""
    good = demo.section(3)[0].to_dict()
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([{"tileId": "small"}, good, good]))
    return path


def state_of(stack, render):
    return renderapi.stack.get_full_stack_metadata(stack, render=render)["state"]


class TestImport:
    def test_files_are_stored_and_the_stack_is_closed(self, run, render, fresh, tile_file, tmp_path):
        packed = tmp_path / "more.json.gz"
        packed.write_bytes(gzip.compress(renderapi.utils.renderdumps(demo.section(8)[:5]).encode()))
        status, output, errors = run("import", fresh, tile_file, packed, "--create")
        assert (status, errors) == (0, "")
        assert output == "imported 2 files into me/p/fresh: it is COMPLETE, and holds 25 tiles\n"
        assert renderapi.stack.get_z_values_for_stack(fresh, render=render) == [7.0, 8.0]

    def test_it_can_be_left_open(self, run, read, render, fresh, tile_file):
        renderapi.stack.create_stack(fresh, render=render)
        found = read(
            "import", fresh, tile_file, "--leave-open", "--batch", "7", "--threads", "1", "--engine", "python"
        )
        assert found["metadata"]["state"] == state_of(fresh, render) == "LOADING"
        assert len(renderapi.stack.get_stack_tileIds(fresh, render=render)) == 20

    @pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
    def test_a_stack_goes_to_a_table_and_back(self, run, render, fresh, tmp_path, name):
        path = tmp_path / name
        assert run("export", "full", path)[1] == f"wrote 200 rows of me/p/full to table {path}\n"
        status, _, errors = run("export", "full", path)
        assert status == 1 and "--overwrite replaces it" in errors
        assert run("import", fresh, path, "--create", "--dry-run")[1].startswith(
            f"200 tiles of {path}\nwould be"
        )
        status, output, errors = run("import", fresh, path, "--create")
        assert (status, errors) == (0, "")
        assert output == f"imported {path} into me/p/fresh: it is COMPLETE, and holds 200 tiles\n"
        assert run("diff", "full", fresh)[0] == 0

    def test_columns_of_a_table_may_be_called_otherwise(self, run, read, render, fresh, tmp_path):
        path = tmp_path / "tiles.csv"
        path.write_text("name,z,width,height,stageX,stageY\n007,3,10,10,5,0\n")
        status, _, errors = run("import", fresh, path, "--create", "--dry-run")
        assert status == 1 and "column 'tileId'" in errors
        read("import", fresh, path, "--create", "--column", "name=tileId")
        assert renderapi.stack.get_stack_tileIds(fresh, render=render) == ["007"]
        assert run("import", fresh, path, path)[0] == 2

    @pytest.mark.parametrize("name", ["m.csv", "m.json"])
    def test_matches_come_from_tables_and_json(self, run, render, tmp_path, name):
        path = tmp_path / name
        if name == "m.csv":
            run("export", "pairs", path, "--matches")
        else:
            path.write_text(json.dumps(demo.MATCHES))
        assert run("import", "again", path, "--matches", "--dry-run")[1].startswith("would import 1 pair of")
        assert run("import", "again", path, "--matches")[1] == f"imported 1 pair of {path} into me/again\n"
        found = list(renderapi.pointmatch.select("again", render=render))
        assert found == list(renderapi.pointmatch.select("pairs", render=render))
        renderapi.pointmatch.delete_collection("again", render=render)

    def test_words_the_wrong_way_round_are_understood(self, run, tile_file):
        status, _, errors = run("import", tile_file, "full")
        assert status == 2
        assert "the stack comes first" in errors

    def test_a_stack_that_is_not_there_is_an_error_with_what_there_is(self, run, tile_file, render):
        status, _, errors = run("import", "fulll", tile_file)
        assert status == 1
        assert errors.endswith("did you mean 'full'?\n")

    def test_a_file_that_is_not_there_leaves_the_stack_alone(self, run, render, tmp_path):
        status, _, errors = run("import", "full", tmp_path / "none.json")
        assert status == 1 and "none.json" in errors
        assert state_of("full", render) == "COMPLETE"

    def test_a_dry_run_looks_at_the_files_and_stores_nothing(self, run, read, render, tile_file, bad_file):
        status, output, _ = run("import", "new", tile_file, "--create", "--dry-run")
        assert status == 0
        assert output.splitlines() == [
            "20 tile specs in 1 layer, z 7 to 7: no problems",
            "would be imported into me/p/new, which would be made",
        ]
        assert run("import", "new", tile_file, "--dry-run")[0] == 1
        with pytest.raises(NotFoundError):
            state_of("new", render)
        status, output, _ = run("import", "full", bad_file, "--dry-run")
        assert status == 3 and "which is COMPLETE" in output and "tile small" in output
        assert state_of("full", render) == "COMPLETE"

    def test_shared_transforms_go_along(self, run, render, fresh, tmp_path):
        tile = demo.section(0)[0].to_dict()
        tile["transforms"] = {"type": "list", "specList": [{"type": "ref", "refId": "shared"}]}
        transform = renderapi.transform.AffineModel(B0=5.0, transformId="shared").to_dict()
        for name, content in {"tiles": [tile], "transforms": [transform]}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        words = ["import", fresh, tmp_path / "tiles.json", "--create"]
        status, _, errors = run(*words)
        assert status == 1 and "requires the following transform ids [shared]" in errors
        assert run(*words, "--transforms", tmp_path / "transforms.json")[0] == 0
        assert renderapi.stack.get_stack_bounds(fresh, render=render)["minX"] == 5.0

    def test_what_is_doubtful_is_a_note(self, run, fresh, tmp_path):
        tile = demo.section(0)[0].to_dict()
        tile["mipmapLevels"] = {"0": {"imageUrl": "relative.png"}}
        (tmp_path / "tiles.json").write_text(json.dumps([tile]))
        status, _, errors = run("import", fresh, tmp_path / "tiles.json", "--create")
        assert status == 0
        assert errors.startswith(
            "renderapi import: note: 1 of the tile specs imported have a relative imageUrl"
        )


class TestValidate:
    def test_good_files_are_all_well(self, run, tile_file):
        assert run("validate", tile_file) == (0, "20 tile specs in 1 layer, z 7 to 7: no problems\n", "")

    def test_each_tile_that_is_wrong_is_named(self, run, bad_file, tmp_path):
        other = tmp_path / "text.json"
        other.write_text("no json")
        status, output, _ = run("validate", bad_file, other)
        first, *lines = output.splitlines()
        assert status == 3
        assert first == "3 tile specs in 1 layer, z 3 to 3: 3 problems"
        assert lines[0] == f"{bad_file}: tile small: tile 'small' has no width or height"
        assert lines[1].startswith(f"{bad_file}: tile 3_0_0: it is there twice")
        assert lines[2].startswith(f"{other}: {other} is not JSON")

    def test_programs_get_all_problems(self, run, tmp_path):
        tiles = [{"tileId": str(n), "width": 1} for n in range(50)] + [
            tile.to_dict() for tile in demo.section(0)
        ]
        path = tmp_path / "tiles.json"
        path.write_text(json.dumps(tiles))
        assert "... and 30 more (--json has all)" in run("validate", path)[1]
        found = json.loads(run("validate", path, "--json")[1])
        assert [problem["tileId"] for problem in found["problems"]] == list(map(str, range(50)))
        assert (found["tiles"], found["zs"]) == (250, [0.0])

    def test_a_validator_asks_for_more(self, run, tile_file):
        words = ["--validator", "TemTileSpecValidator", "--validator-data", "maxSize:1000"]
        status, output, _ = run("validate", tile_file, *words)
        assert status == 3 and "20 problems" in output
        assert run("validate", tile_file, "--validator", "None")[0] == 1

    def test_documents_of_other_kinds(self, run, tmp_path):
        path = tmp_path / "matches.json"
        path.write_text(json.dumps([demo.MATCHES]))
        assert run("validate", path, "--kind", "canvas_matches")[:2] == (
            0, "1 documents of kind canvas_matches: no problems\n")  # fmt: skip
        path.write_text(json.dumps({**demo.MATCHES, "matches": {"p": 1}}))
        status, output, _ = run("validate", path, "--kind", "canvas_matches")
        assert status == 3 and f"{path}: matches" in output
        path.write_text("{")
        assert run("validate", path, "--kind", "layout")[0] == 1
        status, _, errors = run("validate", path, "--kind", "none")
        assert status == 2 and "canvas_matches" in errors

    def test_no_server_is_asked(self, run, tile_file, monkeypatch):
        monkeypatch.setenv("RENDER_HOST", "http://127.0.0.1:1")
        assert run("validate", tile_file)[0] == 0


class TestPairs:
    def test_they_are_those_of_the_library(self, run, render, tmp_path):
        path = tmp_path / "pairs.json"
        status, output, _ = run("pairs", "full", 0, 1, "-o", path, "--z-distance", 0, "--xy-factor", 0.6)
        wanted = renderapi.client.tilePairClient(
            "full", 0, 1, zNeighborDistance=0, xyNeighborFactor=0.6, render=render
        )  # fmt: skip
        assert status == 0
        assert json.loads(path.read_text())["neighborPairs"] == wanted["neighborPairs"]
        assert output == f"{len(wanted['neighborPairs'])} pairs of me/p/full in {path}\n"

    def test_options_reach_the_library(self, run, monkeypatch, tmp_path):
        given = {}

        def client(*args, **options):
            given.update(options)
            return {"neighborPairs": []}, []

        monkeypatch.setattr(renderapi.client, "tilePairClient", client)
        words = "--radius 9 --no-exclude-corner-neighbors --exclude-completely-obscured-tiles --box 1 2 3 4"
        words += " --exclude-same-layer-neighbors --exclude-same-section-neighbors --exclude-pairs-in c --per-file 5"
        assert (
            run("pairs", "full", 0, 1, "-o", tmp_path / "p.json", *words.split(), "--engine", "python")[0]
            == 0
        )
        assert given.items() >= {
            "explicitRadius": 9.0, "excludeCornerNeighbors": False, "excludeCompletelyObscuredTiles": True,
            "excludeSameLayerNeighbors": True, "excludeSameSectionNeighbors": True, "maxPairsPerFile": 5,
            "excludePairsInMatchCollection": "c", "minx": 1.0, "miny": 2.0, "maxx": 3.0, "maxy": 4.0,
            "xyNeighborFactor": None, "zNeighborDistance": None, "engine": "python",
        }.items()  # fmt: skip

    def test_a_dry_run_writes_nothing_and_a_file_is_not_written_over(self, run, read, tmp_path):
        path = tmp_path / "pairs.json"
        assert read("pairs", "full", 0, 1, "-o", path, "--dry-run")["zs"] == [0.0, 1.0]
        assert not path.exists()
        path.write_text("mine")
        status, _, errors = run("pairs", "full", 0, 1, "-o", path)
        assert status == 1 and "--force" in errors and path.read_text() == "mine"
        assert run("pairs", "full", 0, 0, "-o", path, "--force", "--z-distance", 0)[0] == 0
        assert path.read_text() != "mine"


class TestDiff:
    def test_equal_stacks_are_all_well(self, run):
        status, output, _ = run("diff", "full", "me/p/full")
        assert status == 0
        assert output.splitlines()[-3:] == ["added      0", "removed    0", "moved      0"]

    def test_what_differs_is_told(self, run, render, fresh, tmp_path):
        tiles = demo.section(0)[:100]
        tiles[0].tforms = [renderapi.transform.AffineModel(B0=3.0)]
        renderapi.stack.create_stack(fresh, render=render)
        renderapi.client.import_tilespecs(fresh, tiles[:-1], render=render)
        status, output, _ = run("diff", "full", fresh)
        assert status == 3
        assert "moved           1: 0_0_0 (3)" in output and "layers removed  1" in output
        status, output, _ = run("diff", "full", fresh, "--tolerance", 5, "--sample", 1, "--json")
        found = json.loads(output)
        assert (status, found["moved"], found["removed"], found["equal"]) == (3, 0, 101, False)
        assert len(found["removed_ids"]) == 1


class TestRm:
    @pytest.fixture(autouse=True)
    def _stack(self, render, fresh):
        renderapi.stack.create_stack(fresh, render=render)
        renderapi.client.import_tilespecs(fresh, demo.section(0)[:30], render=render)
        renderapi.pointmatch.import_matches("gone", [demo.MATCHES], render=render)
        yield
        if "gone" in [
            c["collectionId"]["name"] for c in renderapi.pointmatch.get_matchcollections(render=render)
        ]:
            renderapi.pointmatch.delete_collection("gone", render=render)

    def test_the_number_of_tiles_is_the_key(self, run, read, render):
        status, _, errors = run("rm", "fresh", "--tiles", 29)
        assert status == 1 and "me/p/fresh holds 30 tiles, not 29: nothing was deleted" in errors
        assert read("rm", "fresh", "--dry-run") == {"name": "me/p/fresh", "tiles": 30, "dryRun": True}
        assert state_of("fresh", render) == "LOADING"
        assert run("rm", "fresh", "--tiles", 30) == (0, "deleted me/p/fresh with 30 tiles\n", "")
        with pytest.raises(NotFoundError):
            state_of("fresh", render)

    def test_without_it_nobody_is_asked_where_nobody_is(self, run, render, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO("30\n"))
        status, _, errors = run("rm", "fresh")
        assert status == 2 and "give --tiles N or --yes" in errors
        assert state_of("fresh", render) == "LOADING"

    @pytest.mark.parametrize(("typed", "status"), [("30\n", 0), ("yes\n", 1), ("", 1)])
    def test_a_person_types_it(self, run, monkeypatch, typed, status, render):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        found, _, errors = run("rm", "fresh")
        assert found == status
        assert "delete me/p/fresh? It holds 30 tiles: type that number" in errors
        if status:
            assert state_of("fresh", render) == "LOADING"

    def test_yes_deletes_it_at_once(self, run):
        assert run("rm", "fresh", "--yes")[0] == 0

    def test_a_match_collection_goes_too(self, run, read, render):
        assert run("rm", "--matches", "gone", "--tiles", 5)[0] == 1
        assert run("rm", "--matches", "gone", "--tiles", 1)[:2] == (0, "deleted me/gone with 1 pair\n")
        assert run("rm", "--matches", "gone", "--yes")[0] == 1

    def test_what_is_not_there_is_an_error(self, run):
        assert run("rm", "none", "--yes")[0] == 1
