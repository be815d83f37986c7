"""Verbs that carry stacks and match collections elsewhere: cp, mv, export, import."""

import pytest

import renderapi
from renderapi import demo
from renderapi.errors import NotFoundError
from renderapi.server import serve_background


@pytest.fixture
def source(render):
    """Return a stack and a match collection that may be moved."""
    renderapi.stack.create_stack("source", stackResolutionX=4, render=render)
    tiles = [tile for number in range(3) for tile in demo.section(number)[:10]]
    renderapi.client.import_tilespecs("source", tiles, render=render)
    renderapi.stack.set_stack_state("source", "COMPLETE", render=render)
    renderapi.pointmatch.import_matches("source", [demo.MATCHES], render=render)
    yield "source"
    for found in renderapi.render.get_stack_ids_by_owner(render=render):
        if found["stack"] not in ("full", "empty"):
            renderapi.stack.delete_stack(found["stack"], project=found["project"], render=render)
    for found in renderapi.pointmatch.get_matchcollections(render=render):
        if found["collectionId"]["name"] != "pairs":
            renderapi.pointmatch.delete_collection(found["collectionId"]["name"], render=render)


def stacks(render):
    return {f"{s['project']}/{s['stack']}" for s in renderapi.render.get_stack_ids_by_owner(render=render)}


def collections(render):
    return {c["collectionId"]["name"] for c in renderapi.pointmatch.get_matchcollections(render=render)}


class TestCp:
    def test_a_copy_is_equal_and_a_second_one_has_nothing_to_do(self, run, read, source):
        status, output, _ = run("cp", source, "copy")
        assert status == 0
        assert "3 layers" in output.splitlines()[0]
        assert output.splitlines()[1].startswith("30 tiles on both sides, digest ")
        assert run("diff", source, "copy")[0] == 0
        again = read("cp", source, "copy")
        assert (again["written"], again["kept"], again["count"]) == ([], [0.0, 1.0, 2.0], 30)

    def test_what_the_target_does_not_name_is_that_of_the_source(self, run, render, source):
        assert run("cp", f"me/p/{source}", "q/copy", "--owner", "other", "--project", "elsewhere")[0] == 0
        assert "q/copy" in stacks(render)

    def test_a_dry_run_copies_nothing(self, run, render, source):
        status, output, _ = run("cp", source, "copy", "--dry-run")
        assert status == 0 and output.startswith("would copy ") and output.endswith(": 3 layers\n")
        assert "p/copy" not in stacks(render)

    def test_a_target_with_something_of_its_own_is_refused(self, run, read, render, source):
        renderapi.stack.create_stack("copy", render=render)
        renderapi.client.import_tilespecs("copy", demo.section(9)[:3], render=render)
        assert run("cp", source, "copy")[0] == 1
        found = read("cp", source, "copy", "--overwrite", "--leave-open", "--threads", 1)
        assert found["removed"] == [9.0]
        assert renderapi.stack.get_full_stack_metadata("copy", render=render)["state"] == "LOADING"

    def test_a_url_goes_to_another_server(self, run, source):
        with serve_background() as other:
            url = f"{other.url}/v1/owner/you/project/q/stack/copy"
            assert run("cp", source, url)[0] == 0
            assert run("diff", source, url)[0] == 0
            assert run("cp", url, "back")[0] == 0
            with other.connect(owner="you", project="q", web_only=True) as there:
                assert stacks(there) == {"q/copy", "q/back"}

    def test_a_match_collection(self, run, read, render, source):
        assert run("cp", "--matches", source, "copied")[0] == 0
        assert read("info", "--matches", "copied")["pairCount"] == 1

    def test_a_misspelt_source_is_answered_with_what_there_is(self, run, source):
        status, _, errors = run("cp", "sourec", "copy")
        assert status == 1 and "did you mean 'source'?" in errors


class TestMv:
    def test_a_stack_is_renamed(self, run, render, source):
        assert run("mv", source, "moved", "--dry-run")[1].startswith("would move")
        assert {"p/source"} == stacks(render) - {"p/full", "p/empty"}
        assert run("mv", source, "q/moved")[0] == 0
        assert {"q/moved"} == stacks(render) - {"p/full", "p/empty"}

    def test_a_match_collection_is_renamed(self, run, render, source):
        assert run("mv", "--matches", source, "moved")[0] == 0
        assert collections(render) == {"pairs", "moved"}

    def test_to_another_server_it_is_copied_and_deleted(self, run, render, source):
        with serve_background() as other:
            assert run("mv", source, f"{other.url}/v1/owner/you/project/q/stack/moved")[0] == 0
            with other.connect(owner="you", project="q", web_only=True) as there:
                assert stacks(there) == {"q/moved"}
        with pytest.raises(NotFoundError):
            renderapi.stack.get_full_stack_metadata(source, render=render)


class TestExport:
    def test_an_export_is_imported_again(self, run, read, render, source, tmp_path):
        folder = tmp_path / "backup"
        assert read("export", source, folder, "--dry-run")["written"] == [0.0, 1.0, 2.0]
        assert not folder.exists()
        assert run("export", source, folder)[0] == 0
        status, output, _ = run("import", "again", folder, "--dry-run")
        assert status == 0 and output.startswith("would import")
        assert "p/again" not in stacks(render)
        assert run("import", "again", folder)[0] == 0
        assert run("diff", source, "again")[0] == 0
        assert renderapi.stack.get_stack_metadata("again", render=render).stackResolutionX == 4.0

    def test_another_stack_is_not_written_over_it(self, run, source, tmp_path):
        assert run("export", source, tmp_path / "backup")[0] == 0
        assert run("export", "full", tmp_path / "backup")[0] == 1
        assert run("export", "full", tmp_path / "backup", "--overwrite")[0] == 0

    def test_a_match_collection(self, run, read, source, tmp_path):
        assert run("export", "--matches", source, tmp_path / "backup")[0] == 0
        assert run("import", "--matches", "again", tmp_path / "backup")[0] == 0
        assert read("info", "--matches", "again")["pairCount"] == 1

    def test_a_folder_is_imported_alone(self, run, tile_file, tmp_path):
        assert run("import", "again", tmp_path, tile_file)[0] == 2
        status, _, errors = run("import", "--matches", "again", tile_file)
        assert status == 1 and "pGroupId" in errors

    def test_a_format_is_checked(self, run, source, tmp_path):
        status, _, errors = run("export", source, tmp_path / "backup", "--format", "jsonl.gzip")
        assert status == 2 and "did you mean 'jsonl.gz'?" in errors
