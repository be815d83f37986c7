"""SIFT features of canvases: keypoints where mpicbg would find them, with the descriptors of OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._extras import install_line
from renderapi.match._canvas import Canvas
from renderapi.match._keypoints import ASSUMED_BLUR, INITIAL_BLUR, Keypoints, find_keypoints
from renderapi.match._parameters import FeatureExtraction

if TYPE_CHECKING:
    from numpy.typing import NDArray


def opencv() -> Any:
    """Import OpenCV.

    Raises
    ------
    ImportError
        If it is not installed; the message says how.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(f"matching needs OpenCV: {install_line('match')}") from error
    return cv2


@dataclass(frozen=True)
class Features:
    """Features of a canvas.

    Attributes
    ----------
    points : (N, 2) float64 array
        x, y in pixels of the canvas.
    scales : (N,) float32 array
        Blur at which each was found, in pixels of the canvas.
    descriptors : (N, 128) uint8 array
        What each looks like.
    size : tuple of int
        Width and height of the canvas.
    scale, offset, extent : float, tuple of float, tuple of int
        Those of the canvas.
    blank : bool
        Whether the canvas showed nothing.
    mask : (H, W) bool array or None
        That of the canvas.
    """

    points: NDArray[np.float64]
    scales: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    size: tuple[int, int]
    scale: float
    offset: tuple[float, float]
    extent: tuple[int, int]
    blank: bool = False
    mask: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.points)

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        masked = 0 if self.mask is None else self.mask.nbytes
        return self.points.nbytes + self.scales.nbytes + self.descriptors.nbytes + masked

    def to_full_scale(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (N, 2) pixels of the canvas to where matches are stored: the unclipped canvas at full scale.

        Parameters
        ----------
        points : (N, 2) float64 array
            x and y in pixels of the canvas as it was drawn.

        Returns
        -------
        (N, 2) float64 array
        """
        at_scale = points if self.scale == 1.0 else points / self.scale
        moved: NDArray[np.float64] = at_scale + np.array(self.offset)
        return moved


def extract_features(canvas: Canvas, parameters: FeatureExtraction | None = None) -> Features:
    """Find the SIFT features of a canvas.

    Parameters
    ----------
    canvas : Canvas
        As `draw_canvas` gives it.
    parameters : FeatureExtraction, optional
        Which features; default those of the Java client.

    Returns
    -------
    Features
        None where the canvas is blank or too small.

    Raises
    ------
    ImportError
        If OpenCV is not installed (extra ``match``).

    Notes
    -----
    Octaves, scales, contrast and edge limits are those of mpicbg, which does not look at a doubled image as
    OpenCV does. About as many features are found as by mpicbg, most of them at the same places. A descriptor
    has 4 x 4 x 8 numbers, whatever `fdSize`.
    """
    cv2 = opencv()
    wanted = parameters or FeatureExtraction()
    height, width = canvas.image.shape
    empty = Features(
        np.zeros((0, 2)),
        np.zeros(0, np.float32),
        np.zeros((0, 128), np.uint8),
        (width, height),
        canvas.scale,
        canvas.offset,
        canvas.extent,
        canvas.blank,
        canvas.mask,
    )
    largest = int(np.floor(wanted.maxScale * max(width, height) + 0.5))
    reduction = min((largest - 1) / width, (largest - 1) / height)
    if canvas.blank or reduction <= 0:
        return empty
    skipped = 0
    if reduction > 0.9:
        skipped = int(reduction < 1 and max(width, height) > largest)
        reduction = 1.0
    image = canvas.image if reduction == 1.0 else _reduced(cv2, canvas.image, reduction)
    octaves = _octaves(image.shape, wanted.steps, int(wanted.minScale * min(width, height) - 1.0))
    if octaves <= skipped:
        return empty
    found = [
        point
        for octave, keypoints in find_keypoints(cv2, image, wanted.steps, octaves, skipped)
        for point in _for_opencv(cv2, keypoints, octave, wanted.steps)
    ]
    if not found:
        return empty
    gray = np.clip(np.rint(image * np.float32(255)), 0, 255).astype(np.uint8)
    found, descriptors = cv2.SIFT_create(0, wanted.steps, sigma=INITIAL_BLUR).compute(gray, found)
    points = np.array([point.pt for point in found], np.float64) / reduction
    # OpenCV tells a diameter, mpicbg a blur
    scales = np.array([point.size / 2 for point in found], np.float32) / np.float32(reduction)
    kept = slice(None) if canvas.mask is None else _seen(canvas.mask, points)
    return replace(
        empty, points=points[kept], scales=scales[kept], descriptors=descriptors[kept].astype(np.uint8)
    )


def _for_opencv(cv2: Any, found: Keypoints, octave: int, steps: int) -> list[Any]:
    # as its own finder gives them: places of the whole image, a diameter, and octave, layer and its fraction packed
    whole = np.rint(found.layer)
    packed = octave | whole.astype(int) << 8 | np.rint((found.layer - whole + 0.5) * 255).astype(int) << 16
    size = 2 * INITIAL_BLUR * 2.0 ** (found.layer / steps + octave)
    values = (found.x * 2.0**octave, found.y * 2.0**octave, size, found.angle, np.ones(len(size)), packed)
    return list(map(cv2.KeyPoint, *(column.tolist() for column in values)))


def _reduced(cv2: Any, image: NDArray[np.float32], reduction: float) -> NDArray[np.float32]:
    # blurred as much as the smaller image needs, and the nearest pixels of that
    sigma = float(np.sqrt((ASSUMED_BLUR / reduction) ** 2 - ASSUMED_BLUR**2))
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    rows, columns = (
        np.minimum(np.rint(np.arange(int(size * reduction)) / reduction).astype(int), size - 1)
        for size in image.shape
    )
    reduced: NDArray[np.float32] = np.ascontiguousarray(blurred[rows[:, None], columns])
    return reduced


def _octaves(shape: tuple[int, ...], steps: int, smallest: int) -> int:
    # how many octaves there are: an image is halved while it is larger than the widest kernel of a blur
    widest = INITIAL_BLUR * np.sqrt(4.0 ** ((steps + 2) / steps) - 1)
    kernel = 2 * int(3 * widest + 0.5) + 1
    return sum(1 for _ in _halved(shape, max(kernel, smallest - 1)))


def _halved(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int, int]]:
    height, width = shape[0], shape[1]
    while height > limit and width > limit:
        yield height, width
        height, width = height // 2 + height % 2, width // 2 + width % 2


def _seen(mask: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    columns, rows = points.astype(int).T
    height, width = mask.shape
    seen: NDArray[np.bool_] = mask[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return seen
