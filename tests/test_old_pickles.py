"""Objects that were pickled by render-python 2.4.2, which programs keep in files, load."""

import base64
import copy
import pickle
import zlib

import pytest

from renderapi.resolvedtiles import ResolvedTiles
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, ReferenceTransform

LEAF = {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D"}
LENS = {**LEAF, "id": "lens", "dataString": "0.5 -0.125 0.25 2.0 10.5 -20.25"}
TILE = {
    "tileId": "a", "z": 3.0, "width": 64, "height": 48, "minIntensity": 0, "maxIntensity": 255,
    "layout": {"sectionId": "3.0", "imageRow": 1, "imageCol": 2, "pixelsize": 4.0},
    "mipmapLevels": {"0": {"imageUrl": "file:/a.tif"}},
    "transforms": {
        "type": "list",
        "specList": [{"type": "ref", "refId": "lens"}, {**LEAF, "dataString": "1 0 0 1 5 7"}],
    },
}  # fmt: skip

# Made with render-python 2.4.2, of the documents above:
#   lens = AffineModel(0.5, 0.25, -0.125, 2.0, 10.5, -20.25, transformId="lens"); tile = TileSpec(json=TILE)
#   pickle.dumps((lens, tile, ResolvedTiles(tilespecs=[tile], transformList=[lens])), protocol=2)
# with numpy.core, as numpy 1 writes it and every numpy reads it; then zlib and base64.
PICKLED = """
eNqVVOt220QQluM0SVXSlhLuKRRoWpeLa6cBSinEvYBIVYvipqAUjFlJa6+ILenTyjTuOT4n/KBp//EIPAJv0J7mBXgEHoE3KKOV
YjuH9gf7YzUzmpmd+eayPeXGPPB4zCK/nMQskO0w7pW7nLXLrN32A97qhR7vSv2S4uopo0M78ysKQ0yV7EOappGJy1tScBajaBdI
soVpu0jfeqWCA8bq35o6uaiKGWP1r0lRtYJZ4+GjfaIq5oyaloum6LpcwUGjtjQpqUI3Hq1kWvZButwuk9JiPY5D9inie5HvOp00
sU3eW55IcCKb5at4zp4h5S5zKFHMWyqFOg67Qb8XDcpuGPNyr99NfBbHbKC3Yu6GgUzivpvoOJJp6YGX/cVRU/sNz7stl5y7UudB
Sug4prw6eCF/K/GDKhbu4cUGXtrByw28UjILZtEs3sOruUsvGURk+ZpKtn0erz+4v4PFBo6XzAzmi3jDsqxrT+ioy9QSvOk8EMds
S9s7u3+s5sTvObGUw7q7/fhhrpRJaiu729pTz+6fqzghKNq3Gng7wTuOqvsIzjUPJ+3pNC0eSCz1ncmm8rtcRtzV14m4mRI4Rd1z
eohSSUGRKpCDMyojhnfV9y7eM2pzea0P0HXH9xKB982ashHc74gEH5gVxfb8wA8SlE0tY9lWyp41n9izKXIxNQS9ULFy6AdhP0F1
IsZMpF/PPlim+M4NsVJSPSW5m/hhQA4+VK15rlzBR8qxdMModfyxZaehuvRMzIg/n/F+j3V4I7yDT8zCWHAl7OKCOaVCkQkJbHxq
jbkNXMys4zBh6bv4zFJhRP4Wdad/l+Nzo3ZUG/e855Nh4PLbWLX6jioD4WGjZmU027JxaURv4LK1p7OBK5bqLT/C1Qk4VJytaEC4
+Z6+lnI3cgZfEDZfDmGoosiERgNfDbGmilbBtWd6qftRnUU6TLK/PkS9NEbkVtyFlS0SaoULZxn1TBtfK4h7TG6m/29QalI6WcOk
LSfxTRON0lO314jSG7zNScPl6yMRblIE60PcUhnEvE0F+1YsSUekS+27IeySKIpp8b8WyIY4aQladP9kdRGzxt7kiJkxOTdWoE22
kJO6UVvMycPiiFDr47agnfB9Az+MdkJTHE/n2pwcyf0zulD7z8xmxGLt2UP9YzrUrQZ+SsAcMU8o86yXBQuCdBs6lphvwlXF6MRh
PyK4PGvfhMdcht1fuKcmnSDPuHXFgROo7SE62SztLQMJ0YQvTjNbn9wjEj83sSkKrO/soFv+F0PqzZY=
"""


@pytest.fixture
def old():
    return pickle.loads(zlib.decompress(base64.b64decode(PICKLED)))


def numbers(transform):
    return [float(word) for word in transform.to_dict()["dataString"].split()]


def test_an_affine_transform_pickled_by_render_python_2_loads(old):
    lens = old[0]
    assert type(lens) is AffineModel
    assert lens == AffineModel(0.5, 0.25, -0.125, 2.0, 10.5, -20.25, transformId="lens")
    assert {**lens.to_dict(), "dataString": None} == {**LENS, "dataString": None}
    assert numbers(lens) == [0.5, -0.125, 0.25, 2.0, 10.5, -20.25]
    assert lens.tform([[2.0, 4.0]]).tolist() == [[12.5, -12.5]]
    lens.M[0, 2] = 11.0
    assert numbers(lens)[4] == 11.0


def test_a_tile_pickled_by_render_python_2_loads(old):
    tile = old[1]
    assert type(tile) is TileSpec
    assert (tile.tileId, tile.z, tile.width, tile.height, tile.minint, tile.maxint) == (
        "a",
        3.0,
        64,
        48,
        0,
        255,
    )
    assert (tile.layout.sectionId, tile.layout.imageCol, tile.layout.pixelsize) == ("3.0", 2, 4.0)
    assert tile.ip["0"].imageUrl == tile.ip[0].imageUrl == "file:/a.tif"
    assert [type(tform) for tform in tile.tforms] == [ReferenceTransform, AffineModel]
    assert tile.tforms[1].M[:2, 2].tolist() == [5.0, 7.0]
    written = tile.to_dict()
    for key in ("tileId", "z", "width", "height", "minIntensity", "maxIntensity"):
        assert written[key] == TILE[key]
    assert written["mipmapLevels"]["0"]["imageUrl"] == "file:/a.tif"
    assert [leaf["type"] for leaf in written["transforms"]["specList"]] == ["ref", "leaf"]
    # every attribute exists, however a tile was made
    assert all(hasattr(tile, name) for name in vars(TileSpec(tileId="b")) if not name.startswith("_"))


def test_resolved_tiles_pickled_by_render_python_2_load(old):
    lens, tile, resolved = old
    assert type(resolved) is ResolvedTiles
    assert resolved.tilespecs == [tile] and resolved.transforms == [lens]
    written = resolved.to_dict()
    assert ResolvedTiles(json=written).to_dict() == written


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
def test_what_was_loaded_is_copied_and_pickled_again(old, copied):
    for loaded in old:
        assert copied(loaded).to_dict() == loaded.to_dict()
