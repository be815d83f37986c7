"""Mipmaps and pyramids: dicts of levels as programs use them."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi.errors import RenderError
from renderapi.image_pyramid import ImagePyramid, MipMap, MipMapLevel, TransformedDict

LEVELS = {
    "0": {"imageUrl": "file:/0.tif", "maskUrl": "m", "imageLoaderType": "H5_SLICE", "imageSliceNumber": 3},
    "1": {"imageUrl": "file:/1.tif"},
    "10": {"imageUrl": "file:/10.tif"},
    "2": {"imageUrl": "file:/2.tif"},
}  # fmt: skip


class TestMipMap:
    def test_attributes_and_items_are_the_same(self):
        mipmap = MipMap("a.tif", maskUrl="m.png", imageLoaderType="IMAGEJ_DEFAULT")
        assert mipmap["imageUrl"] == mipmap.imageUrl == "a.tif"
        assert mipmap["imageLoaderType"] == mipmap.imageLoaderType == "IMAGEJ_DEFAULT"
        mipmap["maskUrl"] = None
        mipmap.imageUrl = "b.tif"
        mipmap["imageSliceNumber"] = 2
        assert mipmap.maskUrl is None
        assert mipmap.imageSliceNumber == 2
        assert mipmap["imageUrl"] == "b.tif"
        with pytest.raises(KeyError):
            _ = mipmap["nothing"]

    def test_it_becomes_a_dict(self):
        mipmap = MipMap("a.tif")
        assert mipmap["maskUrl"] is None
        assert dict(mipmap) == mipmap.to_dict() == {"imageUrl": "a.tif"}
        assert dict(MipMap(**LEVELS["0"])) == LEVELS["0"]
        assert list(mipmap) == [("imageUrl", "a.tif")]
        assert json.dumps(mipmap.to_dict()) == '{"imageUrl": "a.tif"}'

    def test_it_compares_with_anything(self):
        assert MipMap("a") == MipMap("a", None)
        assert MipMap("a") != MipMap("b")
        assert MipMap("a") != MipMap("a", "m")
        assert MipMap("a", imageSliceNumber=1) != MipMap("a")
        assert (MipMap("a") == None) is False  # noqa: E711
        assert MipMap("a") == {"imageUrl": "a", "maskUrl": None}
        assert MipMap("a") != {"imageUrl": "b"}
        assert MipMap("a") != "a"

    def test_it_is_hashable(self):
        assert len({MipMap("a"), MipMap("a"), MipMap("b")}) == 2

    def test_its_repr_says_what_it_holds(self):
        assert repr(MipMap("a", imageSliceNumber=1)) == "MipMap(imageUrl='a', imageSliceNumber=1)"


@pytest.mark.filterwarnings("ignore:MipMapLevel is deprecated:DeprecationWarning")
class TestMipMapLevel:
    def test_it_is_a_mipmap_with_its_level(self):
        level = MipMapLevel(1, "a.tif", maskUrl="m.png")
        assert level.level == 1
        assert level["imageUrl"] == "a.tif"
        assert dict(level) == level.to_dict() == {"imageUrl": "a.tif", "maskUrl": "m.png"}
        assert level.mipmap == MipMap("a.tif", "m.png")

    def test_it_compares_and_hashes(self):
        assert MipMapLevel(1, "a") == MipMapLevel(1, "a")
        assert MipMapLevel(1, "a") != MipMapLevel(2, "a")
        assert MipMapLevel(1, "a") != MipMapLevel(1, "b")
        assert (MipMapLevel(1, "a") == None) is False  # noqa: E711
        assert len({MipMapLevel(1, "a"), MipMapLevel(1, "a")}) == 1

    def test_its_repr_says_what_it_holds(self):
        assert repr(MipMapLevel(1, "a")) == "MipMapLevel(1, MipMap(imageUrl='a'))"


class TestTransformedDict:
    def test_it_is_a_dict(self):
        plain = TransformedDict({"a": 1}, b=2)
        plain["c"] = 3
        del plain["a"]
        assert dict(plain) == {"b": 2, "c": 3}
        assert len(plain) == 2
        assert plain == {"b": 2, "c": 3}

    def test_a_subclass_decides_about_its_keys(self):
        class Lower(TransformedDict):
            def __keytransform__(self, key):
                return key.lower()

        lower = Lower({"A": 1, "b": 2})
        assert lower["a"] == lower["A"] == 1
        assert "B" in lower
        assert lower.pop("B") == 2
        assert list(lower) == ["a"]


class TestImagePyramid:
    def test_a_document_is_read_and_written_without_loss(self):
        pyramid = ImagePyramid.from_dict(LEVELS)
        assert pyramid.to_dict() == LEVELS
        assert pyramid["0"].imageSliceNumber == 3

    @pytest.mark.parametrize("document", [None, {}])
    def test_a_document_without_levels(self, document):
        assert ImagePyramid.from_dict(document).to_dict() == {}

    def test_levels_are_numbers_or_text(self):
        pyramid = ImagePyramid()
        pyramid[0] = MipMap("a")
        pyramid["1"] = MipMap("b")
        pyramid[np.int64(2)] = MipMap("c")
        assert pyramid["0"] is pyramid[0] is pyramid[0.0]
        assert pyramid.get(1)["imageUrl"] == "b"
        assert pyramid.get(7) is None
        assert list(pyramid) == ["0", "1", "2"]
        assert pyramid.pop(2).imageUrl == "c"
        del pyramid["1"]
        pyramid.update({3: MipMap("d")})
        assert dict(pyramid.items()) == {"0": MipMap("a"), "3": MipMap("d")}
        assert len(pyramid) == 2
        pyramid["0"]["maskUrl"] = "m"
        assert pyramid[0].maskUrl == "m"

    def test_levels_come_in_numeric_order(self):
        pyramid = ImagePyramid.from_dict(LEVELS)
        assert list(pyramid) == list(pyramid.levels) == ["0", "1", "2", "10"]
        assert [mipmap.imageUrl[6:-4] for mipmap in pyramid.values()] == ["0", "1", "2", "10"]
        assert list(pyramid.to_dict()) == ["0", "1", "2", "10"]
        del pyramid[10], pyramid[2], pyramid[1]
        assert list(pyramid) == ["0"]

    @given(st.lists(st.integers(0, 40), unique=True))
    def test_any_levels_are_sorted(self, levels):
        pyramid = ImagePyramid({level: MipMap(str(level)) for level in levels})
        assert [int(level) for level in pyramid.levels] == sorted(levels)

    @pytest.mark.filterwarnings("ignore:MipMapLevel is deprecated:DeprecationWarning")
    def test_old_ways_to_build_it(self):
        built = ImagePyramid([MipMapLevel(1, "b"), MipMapLevel(0, "a")])
        assert built.to_dict() == {"0": {"imageUrl": "a"}, "1": {"imageUrl": "b"}}
        assert ImagePyramid(level for level in [MipMapLevel(1, "b")]).to_dict() == {"1": {"imageUrl": "b"}}
        assert ImagePyramid({level: m for level, m in built.items() if level != "0"}).to_dict() == {
            "1": {"imageUrl": "b"}
        }
        assert ImagePyramid([(0, MipMap("a"))]) == ImagePyramid({"0": MipMap("a")})
        assert ImagePyramid([]) == ImagePyramid() == {}
        assert ImagePyramid({0: {"imageUrl": "plain"}}).to_dict() == {"0": {"imageUrl": "plain"}}
        assert sorted(built.levels) == list(map(str, range(2)))

    @pytest.mark.parametrize("key", ["x", None, 1.5, "1.5", float("nan"), float("inf"), (), "file:/a.tif"])
    def test_what_is_no_level_is_refused(self, key):
        pyramid = ImagePyramid({0: MipMap("a")})
        assert key not in pyramid
        assert pyramid.get(key) is None
        with pytest.raises(KeyError, match="whole number"):
            pyramid[key] = MipMap("b")

    def test_pyramids_compare_by_what_they_hold(self):
        assert ImagePyramid.from_dict(LEVELS) == ImagePyramid.from_dict(dict(reversed(LEVELS.items())))
        assert ImagePyramid.from_dict(LEVELS) != ImagePyramid()
        assert ImagePyramid() != 5

    @pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
    def test_pyramids_pickle_and_copy(self, copied):
        pyramid = ImagePyramid.from_dict(LEVELS)
        other = copied(pyramid)
        other[0].imageUrl = "changed"
        assert pyramid.to_dict() == LEVELS
        assert other.to_dict() != LEVELS

    def test_its_repr_says_what_it_holds(self):
        pyramid = ImagePyramid({10: MipMap("b"), 2: MipMap("a")})
        assert repr(pyramid) == "ImagePyramid({'2': MipMap(imageUrl='a'), '10': MipMap(imageUrl='b')})"


@pytest.mark.parametrize("level", [-1, 3, "3", "no level", None, 0.5])
def test_an_unknown_level_is_an_error_of_both_kinds(level):
    pyramid = ImagePyramid({0: MipMap("a")})
    for look in (pyramid.__getitem__, pyramid.__delitem__, pyramid.pop):
        with pytest.raises(RenderError, match="mipmap level") as caught:
            look(level)
        assert isinstance(caught.value, KeyError)
    assert pyramid.get(level, "none") == pyramid.pop(level, "none") == "none"


def test_a_mipmap_takes_the_items_that_its_document_has():
    mipmap = MipMap("a", x=1)
    mipmap["maskUrl"], mipmap["imageSliceNumber"], mipmap["x"] = "m", 2, 3
    assert dict(mipmap) == {"imageUrl": "a", "maskUrl": "m", "x": 3, "imageSliceNumber": 2}
    with pytest.raises(KeyError):
        mipmap["imageURL"] = "b"


def test_a_mipmap_level_is_deprecated():
    with pytest.warns(DeprecationWarning, match="ImagePyramid"):
        MipMapLevel(0, "a")
