"""Long tables of matches: what goes into a collection, what is refused, and what comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi import pointmatch, tables
from renderapi.errors import NotFoundError, SpecError, TableError
from renderapi.pointmatch import match_from_arrays, merge_matches
from renderapi.server import serve_background

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def render():
    with serve_background() as server:
        yield server.connect(owner="own", project="proj")


def frame(**changes):
    columns = {
        "pGroupId": ["1.0", "2.0", "1.0"],
        "pId": ["a", "c", "a"],
        "qGroupId": ["1.0", "1.0", "1.0"],
        "qId": ["b", "a", "b"],
        "px": [1.0, 20.0, 3.0],
        "py": [2.0, 21.0, 4.0],
        "qx": [5.0, 22.0, 7.0],
        "qy": [6.0, 23.0, 8.0],
        "w": [1.0, 0.5, 0.25],
        **changes,
    }
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None})


def test_rows_of_a_pair_are_one_document_wherever_they_are():
    first, second = tables.table_to_matches(frame())
    assert (first["pId"], first["qId"], first["matchCount"]) == ("a", "b", 2)
    assert first["matches"] == {"p": [[1, 3], [2, 4]], "q": [[5, 7], [6, 8]], "w": [1, 0.25]}
    assert (second["pGroupId"], second["qGroupId"]) == ("1.0", "2.0")
    assert second["matches"] == {"p": [[22], [23]], "q": [[20], [21]], "w": [0.5]}


def test_without_weights_all_are_one():
    assert tables.table_to_matches(frame(w=None))[0]["matches"]["w"] == [1, 1]


def test_columns_may_be_called_otherwise_and_have_defaults():
    table = frame(pGroupId=None).rename(columns={"px": "x"})
    (first, _) = tables.table_to_matches(table, columns={"px": "x"}, defaults={"pGroupId": "1.0"})
    assert first["matches"]["p"][0] == [1, 3]


def test_groups_that_are_numbers_are_written_as_sections_are():
    assert tables.table_to_matches(frame(pGroupId=[1.0, 2.0, 1.0]))[1]["qGroupId"] == "2.0"


def test_every_bad_row_is_named_and_nothing_is_sent(render):
    bad = frame(pId=["a", None, ""], qx=[1.0, "x", 2.0], w=[1.0, 1.0, np.nan])
    with pytest.raises(TableError) as caught:
        tables.import_match_table("refused", bad, render=render)
    assert {(row, column) for row, column, _ in caught.value.problems} == {
        (1, "pId"),
        (2, "pId"),
        (1, "qx"),
        (2, "w"),
    }
    with pytest.raises(NotFoundError):
        pointmatch.get_match_groupIds("refused", render=render)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(TableError, match="'qy': is missing"):
        tables.table_to_matches(frame(qy=None))


def test_an_infinite_coordinate_is_refused():
    with pytest.raises(TableError, match="row 1, column 'py': inf"):
        tables.table_to_matches(frame(py=[1.0, np.inf, 2.0]))


def test_a_table_goes_into_a_collection_and_comes_out_of_it(render):
    done = tables.import_match_table("mine", frame(), batch_size=1, render=render)
    assert done == (2, 0)
    back = tables.matches_to_table("mine", render=render)
    assert list(back.columns) == list(tables.MATCH_COLUMNS)
    assert back["px"].tolist() == [1, 3, 22]
    again = tables.import_match_table("mine", back, skip_existing=True, render=render)
    assert again == (0, 2)


def test_a_selection_becomes_a_table_for_each_group(render):
    documents = [match_from_arrays(g, "a", g, "b", [[1, 2]], [[3, 4]]) for g in ("1", "2", "3")]
    pointmatch.upload_matches("groups", documents, render=render)
    chosen = pointmatch.select("groups", pgroup=["1", "3"], render=render)
    found = list(tables.matches_tables(chosen, kind="arrow"))
    assert [table.column("pGroupId").to_pylist() for table in found] == [["1"], ["3"]]
    assert len(list(tables.matches_tables("groups", render=render))) == 3


def test_no_matches_are_a_table_without_rows():
    empty = tables.matches_to_table([], kind="arrow")
    assert (empty.num_rows, empty.column_names) == (0, list(tables.MATCH_COLUMNS))
    assert tables.table_to_matches(empty) == []


def test_what_is_neither_a_collection_nor_matches_is_refused():
    with pytest.raises(SpecError, match="not a int"):
        tables.matches_to_table(5)


numbers = st.floats(-1e6, 1e6, width=32)
texts = st.sampled_from(["1.0", "10.0", "9.0", "a", "\x00", "\uffee", "\U0001f600"])
points = st.lists(st.tuples(*[numbers] * 5), min_size=1, max_size=4)


@given(
    st.lists(st.tuples(texts, texts, texts, texts, points), max_size=8), st.sampled_from(["pandas", "arrow"])
)
@settings(max_examples=60, deadline=None)
def test_documents_come_back_from_a_table_as_they_were(made, kind):
    documents = []
    for p_group, p_id, q_group, q_id, rows in made:
        if (p_group, p_id) != (q_group, q_id):
            px, py, qx, qy, w = zip(*rows)
            documents.append(
                match_from_arrays(
                    p_group, p_id, q_group, q_id, np.column_stack([px, py]), np.column_stack([qx, qy]), w
                )
            )
    documents = merge_matches(documents)
    back = tables.table_to_matches(tables.matches_to_table(documents, kind=kind))
    by_pair = {tuple(d[k] for k in ("pGroupId", "pId", "qGroupId", "qId")): d for d in documents}
    assert {tuple(d[k] for k in ("pGroupId", "pId", "qGroupId", "qId")): d for d in back} == by_pair
    assert len(back) == len(documents)
