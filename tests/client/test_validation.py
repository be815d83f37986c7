"""Which tiles an import takes, by the rules of the Java validators."""

import numpy as np
import pytest

from renderapi.client.validation import TemTileSpecValidator, TileSpecValidator
from renderapi.errors import RenderWarning


def document(**changes):
    return {
        "tileId": "a",
        "z": 1.0,
        "width": 1000.0,
        "height": 800.0,
        "mipmapLevels": {"0": {"imageUrl": "https://images.example/a.tif"}},
        "transforms": {"type": "list", "specList": []},
        **changes,
    }


def moved(x, y):
    data = f"1 0 0 1 {x} {y}"
    leaf = {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": data}
    return {"type": "list", "specList": [leaf]}


class TestSettings:
    def test_text(self):
        validator = TemTileSpecValidator.from_data(" minCoordinate:-500, maxSize:9000.5,other:x,maxSize:10 ,")
        assert (validator.minCoordinate, validator.maxSize, validator.minSize) == (-500, 10, 500)
        assert validator.maxCoordinate == 400000

    def test_text_survives(self):
        validator = TemTileSpecValidator(-0.1, 1e6, 3, 4)
        assert TemTileSpecValidator.from_data(validator.data()) == validator
        assert " " not in validator.data()

    def test_a_bad_number_is_an_error(self):
        with pytest.raises(ValueError, match="minSize of a TemTileSpecValidator is 'big'"):
            TemTileSpecValidator.from_data("minSize:big")


class TestTem:
    @pytest.mark.parametrize(
        ("box", "problem"),
        [
            ((0, 0, 500, 5000), None),
            ((-1, -1, 900, 900), "minX -1 is below 0"),
            ((0, -1, 900, 900), "minY -1 is below 0"),
            ((0, 0, 400001, 900), "maxX 400001 is above 400000"),
            ((0, 399000, 900, 400001), "maxY 400001 is above 400000"),
            ((0, 0, 499, 900), "width 499 is not between 500 and 5000"),
            ((0, 0, 500, 5001), "height 5001 is not between 500 and 5000"),
        ],
    )
    def test_limits_are_inclusive_and_looked_at_in_order(self, box, problem):
        found = list(TemTileSpecValidator().problems(document(), np.array(box, float)))
        assert (found[0] if found else None) == problem


class TestCore:
    def problems(self, **changes):
        return list(TileSpecValidator().problems(document(**changes), np.zeros(4)))

    def test_a_good_tile(self):
        assert self.problems() == []

    def test_z(self):
        assert self.problems(z=None) == ["it has no z"]

    def test_images(self, tmp_path):
        empty = tmp_path / "empty file.tif"
        empty.write_bytes(b"")
        for url, problem in (
            (None, "mipmap level 0 has no imageUrl"),
            ("/no/such.tif", "cannot find imageUrl file '/no/such.tif'"),
            ("file:/no/such%20file.tif", "cannot find imageUrl file '/no/such file.tif'"),
            (str(empty), f"imageUrl file '{empty}' is empty"),
        ):
            assert self.problems(mipmapLevels={"0": {"imageUrl": url}}) == [problem]
        assert self.problems(mipmapLevels={}) == ["it has no mipmap levels"]
        mask = {"imageUrl": "s3://bucket/a", "maskUrl": "/no/mask.png"}
        assert self.problems(mipmapLevels={"0": mask}) == ["cannot find maskUrl file '/no/mask.png'"]

    def test_images_of_channels_count_where_there_are_channels(self):
        assert (
            self.problems(mipmapLevels={}, channels=[{"mipmapLevels": {"0": {"imageUrl": "s3://a"}}}]) == []
        )
        assert self.problems(channels=[{"mipmapLevels": {}}]) == ["it has no mipmap levels"]

    def test_a_file_that_cannot_be_read(self, tmp_path, monkeypatch):
        secret = tmp_path / "secret.tif"
        secret.write_bytes(b"x")
        monkeypatch.setattr("os.access", lambda path, mode: False)
        assert self.problems(mipmapLevels={"0": {"imageUrl": str(secret)}}) == [
            f"no read access for imageUrl file '{secret}'"
        ]


class TestSplit:
    def test_good_and_bad_tiles_are_parted(self, caplog):
        bad_class = {"type": "list", "specList": [{"type": "leaf", "className": "x.Y", "dataString": "1"}]}
        tiles = [
            document(tileId="good"),
            document(tileId="far", transforms=moved(1e6, 0)),
            document(tileId="class", transforms=bad_class),
        ]
        with pytest.warns(RenderWarning, match="leaves out 2 of 3 tiles: far: maxX .* is above") as caught:
            kept, rejected = TemTileSpecValidator().split(tiles, {})
        assert [tile["tileId"] for tile in kept] == ["good"]
        assert rejected == ["far", "class"]
        assert "x.Y" in str(caught[0].message)
        assert "tile far is left out" in caplog.text

    def test_many_bad_tiles_are_counted(self):
        with pytest.warns(RenderWarning, match="and 3 more"):
            TileSpecValidator().split([document(tileId=str(i), z=None) for i in range(8)], {})

    def test_all_good(self):
        assert TileSpecValidator().split([document()], {}) == ([document()], [])
