"""Tables of tiles and matches in CSV, Parquet and Feather files."""

import gzip

import pytest

pa = pytest.importorskip("pyarrow")

from renderapi.errors import TableError  # noqa: E402
from renderapi.tables import TABLE_FILES, read_table, table_to_tiles, write_table  # noqa: E402

TILES = pa.table({
    "tileId": ["0012", "nan,\"x\"", "\u00e9"],
    "z": [1.0, 1.0, 2.5],
    "sectionId": ["1.0", None, "2.5"],
    "width": [100.0, 100.0, 100.0],
    "height": [80.0, 80.0, 80.0],
    "m02": [0.1, None, 1e-17],
    "m12": [3.0, None, 4.0],
})  # fmt: skip


@pytest.mark.parametrize("ending", TABLE_FILES)
def test_what_was_written_is_read(tmp_path, ending):
    path = tmp_path / f"tiles{ending}"
    assert write_table([TILES.slice(0, 1), TILES.slice(1)], path) == 3
    assert table_to_tiles(read_table(path)) == table_to_tiles(TILES)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == ending.endswith(".gz")


def test_pandas_writes_the_same(tmp_path):
    write_table(TILES.to_pandas(), tmp_path / "tiles.csv")
    assert table_to_tiles(read_table(tmp_path / "tiles.csv")) == table_to_tiles(TILES)


def test_ids_stay_text_whatever_they_are_called(tmp_path):
    path = tmp_path / "tiles.tsv.gz"
    path.write_bytes(gzip.compress(b"name\tz\tgroupId\n0012\t1\t7\n"))
    names = {"tileId": "name", "z": "z"}
    assert read_table(path, columns=names).to_pylist() == [{"name": "0012", "z": 1, "groupId": "7"}]


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".csv"])
def test_a_file_that_is_no_table_is_named(tmp_path, ending):
    path = tmp_path / f"bad{ending}"
    path.write_bytes(b"a,b\n1\n")
    with pytest.raises(TableError, match=f"bad{ending} cannot be read as a table"):
        read_table(path)
    with pytest.raises(TableError, match=r"must end in \.csv"):
        read_table(tmp_path / "bad.json")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / f"none{ending}")


@pytest.mark.parametrize("ending", TABLE_FILES)
def test_a_failure_leaves_what_was_there(tmp_path, ending):
    path = tmp_path / f"tiles{ending}"
    path.write_bytes(b"before")

    def parts():
        yield TILES
        raise OSError("the server went away")

    with pytest.raises(OSError, match="went away"):
        write_table(parts(), path)
    with pytest.raises(TableError, match="there is no table"):
        write_table([], path)
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1
