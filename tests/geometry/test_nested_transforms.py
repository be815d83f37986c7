"""Transforms nested thousands of times: told as what they are, wherever they come from."""

import numpy as np
import pytest

from renderapi import geometry, rendering
from renderapi.errors import SpecError
from renderapi.tilespec import TileSpec
from renderapi.transform import (
    AffineModel,
    InterpolatedTransform,
    TransformList,
    estimate_dstpts,
    estimate_transformsum,
)

LEAF = AffineModel().to_dict()
POINTS = np.zeros((1, 2))


def nested_document(kind, times):
    spec = LEAF
    for _ in range(times):
        if kind == "list":
            spec = {"type": "list", "specList": [spec]}
        else:
            spec = {"type": "interpolated", "a": spec, "b": LEAF, "lambda": 0.5}
    return {
        "tileId": "t",
        "width": 10.0,
        "height": 10.0,
        "mipmapLevels": {"0": {"imageUrl": "x.png"}},
        "transforms": {"type": "list", "specList": [spec]},
    }


def nested_object(kind, times):
    transform = AffineModel()
    for _ in range(times):
        if kind == "interpolated":
            transform = InterpolatedTransform(transform, AffineModel(), 0.5)
        else:
            transform = TransformList([transform]) if kind == "list" else [transform]
    return TileSpec("t", 0.0, 10.0, 10.0, "x.png", tforms=[transform])


def tiles(times):
    return [
        *(nested_document(kind, times) for kind in ("list", "interpolated")),
        *(nested_object(kind, times) for kind in ("list", "interpolated", "plain list")),
    ]


CALLS = [
    lambda tile: geometry.bounding_boxes([tile]),
    lambda tile: geometry.derive_bounding_boxes([tile]),
    lambda tile: geometry.local_to_world(tile, POINTS),
    lambda tile: geometry.world_to_local(tile, POINTS),
    lambda tile: geometry.points_to_world([tile], [0], POINTS),
    lambda tile: geometry.points_to_local([tile], [0], POINTS),
]


@pytest.mark.parametrize("call", CALLS)
def test_transforms_nested_too_deeply_are_a_spec_error_in_geometry(call):
    # neither are 320, which can be read but hardly evaluated, of interpolations
    for tile in [*tiles(3000), nested_document("interpolated", 320)]:
        with pytest.raises(SpecError, match="nested too deeply"):
            call(tile)
    for tile in tiles(90):
        call(tile)


def test_transforms_nested_too_deeply_are_a_spec_error_in_the_renderer():
    for tile in tiles(3000):
        with pytest.raises((SpecError, rendering.RenderParametersError, rendering.ImageSourceError)):
            rendering.render({"width": 2, "height": 2, "tileSpecs": [tile]})


@pytest.mark.parametrize("kind", ["list", "interpolated", "plain list"])
def test_transforms_nested_too_deeply_are_a_spec_error_in_themselves(kind):
    transforms = nested_object(kind, 3000).tforms
    calls = [lambda: estimate_dstpts(transforms, POINTS), lambda: estimate_transformsum(transforms)]
    if kind != "plain list":
        calls += [transforms[0].to_dict, lambda: transforms[0].tform(POINTS)]
    for call in calls:
        with pytest.raises(SpecError, match="nested too deeply"):
            call()
