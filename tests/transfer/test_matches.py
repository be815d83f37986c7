"""Match collections arrive whole on other servers and in files."""

import re

import pytest

from renderapi import pointmatch, transfer
from renderapi.errors import ConflictError, NotFoundError, TransferError
from renderapi.server import serve_background
from renderapi.transfer.servers import MatchesOnServer

GROUPS = ["1.0", "2.0", "a/b ü?&", "\N{GRINNING FACE}"]


@pytest.fixture(scope="module")
def servers():
    with serve_background() as one, serve_background() as two:
        yield one, two


@pytest.fixture
def sides(servers, request):
    owner = re.sub(r"[\W_]+", "_", request.node.name).strip("_")
    one, two = (server.connect(owner=owner, project="p") for server in servers)
    with one, two:
        yield one, two


@pytest.fixture
def here(sides):
    documents = [pair(group, f"p{n}", group + "x", "q") for group in GROUPS for n in range(2)]
    documents += [
        {**pair("1.0", 'quoted "id"', "9", "q"), "consensusSetData": {"index": 1, "originalPId": "o"}},
        {key: value for key, value in pair("1.0", "no points", "9", "q").items() if key != "matches"},
        pair("1.0", "three dimensions", "9", "q", p=[[1.0], [2.0], [3.0]], q=[[1.0], [2.0], [3.0]], w=[1.0]),
        pair("1.0", "empty", "9", "q", p=[[], []], q=[[], []], w=[]),
    ]
    pointmatch.import_matches("c", documents, render=sides[0])
    return sides[0]


@pytest.fixture
def there(sides):
    return sides[1]


def pair(p_group, p_id, q_group, q_id, **points):
    matches = {
        "p": [[1.5, 1e-9, 3.0], [4, 5, 6]],
        "q": [[7.0, 8.0, 9.0], [1e22, 1.0, 2.0]],
        "w": [1.0, 0.5, 1.0],
    }
    return {
        "pGroupId": p_group,
        "pId": p_id,
        "qGroupId": q_group,
        "qId": q_id,
        "matches": {**matches, **points},
    }


def digest(render, collection="c"):
    return transfer.digest_matches(collection, render=render)


def test_a_copy_on_another_server_is_equal_and_kept_when_copied_again(here, there):
    done = transfer.copy_matches("c", to_render=there, render=here)
    assert sorted(done.written) == sorted(GROUPS)
    assert done.content == digest(here) == digest(there)
    assert done.content.parts["1.0"].count == 6
    again = transfer.copy_matches("c", to_render=there, render=here)
    assert (again.written, sorted(again.kept)) == ([], sorted(GROUPS))


def test_a_copy_goes_on_from_some_of_the_pairs(here, there):
    some = pointmatch.get_matches_with_group("c", "1.0", render=here)[:2]
    pointmatch.import_matches("c", some, render=there)
    done = transfer.copy_matches("c", to_render=there, render=here)
    assert done.content == digest(there) == digest(here)


@pytest.mark.parametrize(
    "other", [pair("3.0", "a", "4.0", "b"), pair("1.0", "p0", "1.0x", "q", w=[0.0, 0.0, 0.0])]
)
def test_a_target_with_other_pairs_is_refused_unless_overwritten(here, there, other):
    transfer.copy_matches("c", to_render=there, render=here)
    pointmatch.import_matches("c", [other], render=there)
    before = digest(there)
    with pytest.raises(ConflictError, match=r"group [13]\.0 of it holds what"):
        transfer.copy_matches("c", to_render=there, render=here)
    assert digest(there) == before
    transfer.copy_matches("c", to_render=there, overwrite=True, render=here)
    assert digest(there) == digest(here)


def test_a_collection_is_moved_to_another_server_and_renamed_on_its_own(here, there):
    before = digest(here)
    transfer.move_matches("c", "d", render=here)
    assert digest(here, "d") == before
    assert transfer.move_matches("d", to_render=there, render=here).content == before
    assert digest(there, "d") == before
    for work in (transfer.move_matches, transfer.copy_matches):
        with pytest.raises(NotFoundError):
            work("d", to_render=there, render=here)


def test_a_collection_that_changed_while_it_was_moved_is_not_deleted(here, there, monkeypatch):
    end = MatchesOnServer.end

    def later(self, content):
        end(self, content)
        pointmatch.import_matches("c", [pair("5.0", "a", "6.0", "b")], render=here)

    monkeypatch.setattr(MatchesOnServer, "end", later)
    with pytest.raises(ConflictError, match="has 13 pairs, of which 12 were carried: it was not deleted"):
        transfer.move_matches("c", to_render=there, render=here)
    assert digest(here).count == 13


@pytest.mark.parametrize("format", transfer.FORMATS)
def test_an_export_has_everything_and_comes_back(here, there, tmp_path, format):
    if format != "jsonl.gz":
        pytest.importorskip("pyarrow")
    done = transfer.export_matches("c", tmp_path / "e", format=format, render=here)
    assert done.content == digest(here) == transfer.digest_files(tmp_path / "e")
    again = transfer.export_matches("c", tmp_path / "e", format=format, render=here)
    assert again.written == []
    assert transfer.import_matches(tmp_path / "e", "d", dry_run=True, render=there).content is None
    back = transfer.import_matches(tmp_path / "e", "d", render=there)
    assert back.content == digest(there, "d") == done.content


def test_a_damaged_file_is_found(here, there, tmp_path):
    transfer.export_matches("c", tmp_path, render=here)
    path = tmp_path / "matches" / "pGroupId=2.0.jsonl.gz"
    path.write_bytes((path.parent / "pGroupId=1.0.jsonl.gz").read_bytes())
    with pytest.raises(TransferError, match=r"group 2\.0 of folder .* is not what was written there"):
        transfer.import_matches(tmp_path, render=there)


def test_other_tools_read_the_parquet_files(here, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    transfer.export_matches("c", tmp_path, format="parquet", render=here)
    rows = parquet.read_table(tmp_path / "matches" / "pGroupId=2.0.parquet").to_pylist()
    expected = pair("2.0", "p0", "2.0x", "q")
    points = expected.pop("matches")
    for side in "pq":
        expected[f"{side}x"], expected[f"{side}y"] = points[side]
    assert rows[0] == {**expected, "w": points["w"], "document": None}
    rows = {
        row["pId"]: row
        for row in parquet.read_table(tmp_path / "matches" / "pGroupId=1.0.parquet").to_pylist()
    }
    # what the columns cannot say is there as it is
    assert {name for name, row in rows.items() if row["document"]} == {
        'quoted "id"', "no points", "three dimensions"
    }  # fmt: skip
    assert rows["three dimensions"]["px"] is None
