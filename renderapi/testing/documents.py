"""Documents to send to a server in tests, as plain dicts in the form in which a server answers them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from renderapi._names import BOX

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


def affine(data: str = "1 0 0 1 0 0", **more: Any) -> dict[str, Any]:
    """Make the spec of an affine transform.

    Parameters
    ----------
    data : str
        The six numbers m00 m10 m01 m11 m02 m12; the identity by default.
    **more
        Further keys, such as ``id`` or ``metaData``.

    Returns
    -------
    dict
        The transform spec.
    """
    return {"type": "leaf", **more, "className": AFFINE, "dataString": data}


def make_tile(
    tile_id: str = "t",
    z: float | None = 1.0,
    box: Sequence[float | None] = (0.0, 0.0, 100.0, 80.0),
    section: str | None = "1.0",
    specs: Iterable[Any] = (),
    **more: Any,
) -> dict[str, Any]:
    """Make a tile spec of 100 x 80 pixels.

    Parameters
    ----------
    tile_id : str
        Its id.
    z : float or None
        Its layer.
    box : sequence of four floats
        minX, minY, maxX and maxY in world coordinates; None leaves one out.
    section : str or None
        Section id of its layout.
    specs : iterable of dict
        Its transforms.
    **more
        Further keys, or other values; those that are None are left out.

    Returns
    -------
    dict
        The tile spec.
    """
    tile = {
        "tileId": tile_id,
        "layout": None if section is None else {"sectionId": section},
        "z": z,
        **dict(zip(BOX, box)),
        "width": 100.0,
        "height": 80.0,
        "mipmapLevels": {"0": {"imageUrl": f"file:/images/{tile_id}.png"}},
        "transforms": {"type": "list", "specList": list(specs)},
        "meshCellSize": 64.0,
        **more,
    }
    return {key: value for key, value in tile.items() if value is not None}


def make_pair(
    p_group: str = "g1",
    p: str = "p",
    q_group: str = "g2",
    q: str = "q",
    points: Sequence[Sequence[float]] = ((1.0, 2.0), (3.0, 4.0)),
    shift: float = 100.0,
    **more: Any,
) -> dict[str, Any]:
    """Make point matches of two tiles.

    Parameters
    ----------
    p_group, p, q_group, q : str
        Group (section) and tile ids.
    points : sequence of (x, y)
        Positions in p; those in q are `shift` further in x and y.
    shift : float
        Distance of the points of q, in pixels.
    **more
        Further keys, or other values; those that are None are left out.

    Returns
    -------
    dict
        The matches, without ``matchCount``, which the server adds.
    """
    rows = [[float(point[axis]) for point in points] for axis in (0, 1)]
    pair = {
        "pGroupId": p_group,
        "pId": p,
        "qGroupId": q_group,
        "qId": q,
        "matches": {
            "p": rows,
            "q": [[value + shift for value in row] for row in rows],
            "w": [1.0] * len(points),
        },
        **more,
    }
    return {key: value for key, value in pair.items() if value is not None}
