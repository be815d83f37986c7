"""Canvases: tiles as the match clients of render draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.match._parameters import FeatureRenderClip
from renderapi.match.errors import MatchParametersError
from renderapi.rendering import Sources, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Canvas:
    """A tile, or a part of one, as it is looked at.

    Attributes
    ----------
    image : (H, W) float32 array
        Gray values; the display range is 0 to 1, values outside of it are not cut.
    mask : (H, W) bool array or None
        Where the image counts; None everywhere.
    scale : float
        Pixels of the canvas per pixel at full scale.
    offset : tuple of float
        x and y of its upper left corner in the unclipped canvas, in pixels at full scale.
    extent : tuple of int
        Its width and height in pixels at full scale.
    unfiltered_blank : bool
        Whether the images that it was drawn from are of one gray each. Filters may make noise of that, and what is
        black around it corners.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    scale: float
    offset: tuple[float, float]
    extent: tuple[int, int]
    unfiltered_blank: bool = False

    @property
    def blank(self) -> bool:
        """Whether there is nothing to see: all that counts, or each image, has one value."""
        if self.unfiltered_blank:
            return True
        seen = self.image if self.mask is None else self.image[self.mask]
        return not seen.size or bool((seen == seen.flat[0]).all())


def draw_canvas(
    render_parameters: Mapping[str, Any],
    scale: float = 1.0,
    clip: FeatureRenderClip | None = None,
    position: str | None = None,
    sources: Sources | None = None,
) -> Canvas:
    """Draw a canvas as the match clients of render do.

    Parameters
    ----------
    render_parameters : dict
        RenderParameters document; its own scale has no effect, its ``x`` and ``y`` are not part of the
        coordinates of matches.
    scale : float
        Scale. Default 1.
    clip : FeatureRenderClip, optional
        How much is left of it; default everything.
    position : {"TOP", "BOTTOM", "LEFT", "RIGHT"}, optional
        Where the canvas lies, seen from its partner: of a canvas at the left the right side is left.
    sources : renderapi.rendering.Sources, optional
        Where images are read from.

    Returns
    -------
    Canvas

    Raises
    ------
    MatchParametersError
        If it is to be clipped and has no position.
    RenderParametersError, ImageSourceError
        As for `renderapi.rendering.render`.
    """
    document, offset = clipped(render_parameters, clip or FeatureRenderClip(), position)
    painted = paint({**document, "scale": scale, "fillWithNoise": False}, sources=sources)
    span = painted.high - painted.low
    values = painted.values.astype(np.float32)
    image = (values - np.float32(painted.low)) / np.float32(span) if span else values * 0
    mask = None if painted.opacity is None else painted.opacity > 0
    extent = int(document.get("width", 256)), int(document.get("height", 256))
    return Canvas(image, mask, scale, offset, extent, painted.blank)


def clipped(
    render_parameters: Mapping[str, Any], clip: FeatureRenderClip, position: str | None
) -> tuple[Mapping[str, Any], tuple[float, float]]:
    """Return render parameters of what is left of a canvas, and by how much its corner moves."""
    if not clip:
        return render_parameters, (0.0, 0.0)
    if position is None:
        raise MatchParametersError(
            f"canvases are clipped ({clip}) by where they lie, but a pair does not say that (relativePosition): "
            "search pairs with tilePairClient, or do not clip"
        )
    sideways = position in ("LEFT", "RIGHT")
    wanted = clip.clipWidth if sideways else clip.clipHeight
    if wanted is None:
        return render_parameters, (0.0, 0.0)
    side, origin = ("width", "x") if sideways else ("height", "y")
    moved = float(render_parameters.get(side, 256) - wanted) if position in ("TOP", "LEFT") else 0.0
    document = {**render_parameters, side: wanted, origin: render_parameters.get(origin, 0.0) + moved}
    return document, (moved, 0.0) if sideways else (0.0, moved)
