"""The models that tiles can be solved for, and their numbers.

The transform of a tile is kept as the coefficients of 1, x, y, x^2, xy, y^2, ... for both coordinates of the
world, where x and y are measured from the centre of the tile in units of half its size. So each coefficient is a
number of pixels: by how much it moves the edge of the tile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.transform import AffineModel, Polynomial2DTransform
from renderapi.transform.leaf.common import term_count
from renderapi.transform.leaf.polynomial_models import shifted

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


class Model(NamedTuple):
    """A kind of transform.

    Attributes
    ----------
    name : str
        What it is called.
    order : int
        Order of the polynomial that it is written as.
    terms : int
        How many terms of it may change.
    coupled : bool
        Whether x and y have parameters in common; if not, both are solved with the same matrix.
    parameters : int
        How many parameters of a tile are solved for at a time.
    minimum : int
        How many matches a pair needs.
    prior : float
        How strongly all terms but the shift are held by default.
    """

    name: str
    order: int
    terms: int
    coupled: bool
    parameters: int
    minimum: int
    prior: float


MODELS = {
    model.name: model
    for model in (
        Model("translation", 1, 1, False, 1, 1, 0.0),
        Model("rigid", 1, 3, True, 3, 2, 1e-8),
        Model("similarity", 1, 3, True, 4, 2, 1e-5),
        Model("affine", 1, 3, False, 3, 3, 1e-3),
        Model("polynomial2", 2, 6, False, 6, 3, 1e-3),
        Model("polynomial3", 3, 10, False, 10, 3, 1e-3),
    )
}


def model_of(name: str) -> Model:
    """Return the model of a name.

    Raises
    ------
    SpecError
        If there is none.
    """
    try:
        return MODELS[name]
    except (KeyError, TypeError):
        raise SpecError(f"there is no model {name!r}: it is one of {', '.join(MODELS)}") from None


def term_names(order: int) -> list[str]:
    """Return what the terms are called: 1, x, y, xx, xy, yy, ..."""
    return ["1"] + ["x" * (degree - j) + "y" * j for degree in range(1, order + 1) for j in range(degree + 1)]


def nearest(model: Model, coefficients: Array, scale: Array) -> Array:
    """Return the transforms of a model that are nearest to others.

    Parameters
    ----------
    coefficients : (n, k, 2) array
        Coefficients of any transforms.
    scale : (n,) array
        Half the size of each tile.

    Returns
    -------
    (n, k, 2) array
        Their coefficients.
    """
    if not model.coupled and model.name != "translation":
        return coefficients
    near = coefficients.copy()
    turn, grow = np.zeros(len(scale)), scale
    if model.coupled:
        cos = (coefficients[:, 1, 0] + coefficients[:, 2, 1]) / 2
        sin = (coefficients[:, 1, 1] - coefficients[:, 2, 0]) / 2
        turn = np.arctan2(sin, cos)
        if model.name == "similarity":
            grow = np.hypot(cos, sin)
    near[:, 1, 0] = near[:, 2, 1] = grow * np.cos(turn)
    near[:, 1, 1] = grow * np.sin(turn)
    near[:, 2, 0] = -near[:, 1, 1]
    return near


def derivatives(model: Model, coefficients: Array, scale: Array) -> Array:
    """Return how coefficients change with the parameters of a coupled model, (n, k, 2, parameters).

    The parameters are shifts in x and y, and a turn, all in pixels at the edge of the tile; those of a
    similarity shifts, and the two numbers of its linear part.
    """
    J = np.zeros((*coefficients.shape, model.parameters))
    J[:, 0, 0, 0] = J[:, 0, 1, 1] = 1
    if model.name == "rigid":
        cos, sin = coefficients[:, 1, 0] / scale, coefficients[:, 1, 1] / scale
        J[:, 1, 0, 2], J[:, 1, 1, 2], J[:, 2, 0, 2], J[:, 2, 1, 2] = -sin, cos, -cos, -sin
    else:
        J[:, 1, 0, 2] = J[:, 2, 1, 2] = J[:, 1, 1, 3] = 1
        J[:, 2, 0, 3] = -1
    return J


def moved(model: Model, coefficients: Array, scale: Array, J: Array, step: Array) -> Array:
    """Return coefficients of a coupled model after a step (n, parameters)."""
    result: Array = coefficients + np.einsum("nkdp,np->nkd", J, step)
    return nearest(model, result, scale) if model.name == "rigid" else result


def free_motions(model: Model, coefficients: Array, scale: Array, about: Array, size: float) -> Array:
    """Return the motions of all tiles together that change no match.

    Parameters
    ----------
    coefficients : (n, k, 2) array
        Where the tiles are.
    about : (2,) or (n, 2) array
        World coordinates that turn about themselves.
    size : float
        Length in pixels that is moved by about 1.

    Returns
    -------
    (n, parameters, motions) array
        How parameters change.
    """
    x, y = ((coefficients[:, 0] - about) / size).T
    n = len(x)
    if model.coupled:
        cos, sin = coefficients[:, 1].T / size
        motions = np.zeros((n, model.parameters, 3 if model.name == "rigid" else 4))
        motions[:, 0, 0] = motions[:, 1, 1] = 1
        motions[:, 0, 2], motions[:, 1, 2] = -y, x
        if model.name == "rigid":
            motions[:, 2, 2] = scale / size
        else:
            motions[:, 2, 2], motions[:, 3, 2] = -sin, cos
            motions[:, 0, 3], motions[:, 1, 3], motions[:, 2, 3], motions[:, 3, 3] = x, y, cos, sin
        return motions
    if model.terms == 1:
        return np.ones((n, 1, 1))
    motions = np.zeros((n, model.terms, 3))
    motions[:, 0, 0] = 1
    motions[:, :, 1:] = coefficients[:, : model.terms] / size
    motions[:, 0, 1], motions[:, 0, 2] = x, y
    return motions


def brought_back(model: Model, coefficients: Array, start: Array, prior: Array, groups: Indices) -> Array:
    """Move groups of tiles, each as a whole, to where they are nearest to their start.

    Noise makes all tiles of a group a little smaller, because that makes distances smaller too; and how rigid
    transforms of a group turn together is found in many small steps only.

    Parameters
    ----------
    coefficients, start : (n, k, 2) array
        Where they are, and where they started.
    prior : (n, k) array
        Weights of what is to be near.
    groups : (n,) int array
        The group of each.

    Returns
    -------
    (n, k, 2) array
        Where they are then.
    """
    groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
    count = int(groups.max(initial=-1)) + 1
    sums = np.stack([np.bincount(groups, x, count) for x in coefficients[:, 0].T], axis=1)
    middle = sums / np.maximum(np.bincount(groups, minlength=count), 1)[:, None]
    terms = prior.shape[1]
    here, there = coefficients[:, :terms].copy(), start[:, :terms].copy()
    here[:, 0] -= middle[groups]
    there[:, 0] -= middle[groups]
    # of each term x and y, and a 1 that shifts the first
    rows: NDArray[Any] = np.zeros((*here.shape[:2], 3))
    rows[:, :, :2], rows[:, 0, 2] = here, 1
    wanted: NDArray[Any] = there
    if model.coupled:
        # a similarity is one complex number and a shift
        rows = np.zeros((len(here), 2, 2), complex)
        rows[:, :, 0], rows[:, 0, 1] = here[:, :2] @ [1, 1j], 1
        wanted = (there[:, :2] @ [1, 1j])[..., None]
        prior = prior[:, :2]
    held = np.maximum(prior, 1e-12 * prior.max(initial=0))[:, :, None]
    left: NDArray[Any] = np.zeros((count, rows.shape[2], rows.shape[2]), rows.dtype)
    right: NDArray[Any] = np.zeros((count, rows.shape[2], wanted.shape[2]), rows.dtype)
    np.add.at(left, groups, np.einsum("nki,nkj->nij", rows.conj(), held * rows))
    np.add.at(right, groups, np.einsum("nki,nkj->nij", rows.conj(), held * wanted))
    motion = np.linalg.solve(left, right)
    # of the nearest motion its turn and shear; its growth is what keeps the mean size of tiles, even if they turned
    sizes = [
        np.bincount(groups, (held[:, 1:] * np.abs(some) ** 2).sum(axis=(1, 2)), count)
        for some in (wanted[:, 1:], rows[:, 1:] @ motion[groups])
    ]
    motion[:, :-1] *= np.sqrt(sizes[0] / sizes[1])[:, None, None]
    motion[:, -1:] = (right[:, -1:] - left[:, -1:, :-1] @ motion[:, :-1]) / left[:, -1:, -1:]
    motion = motion[groups]
    result = coefficients.copy()
    if model.coupled:
        moved_to = (rows @ motion)[..., 0]
        result[:, 0] = np.stack([moved_to[:, 0].real, moved_to[:, 0].imag], axis=1)
        result[:, 1] = np.stack([moved_to[:, 1].real, moved_to[:, 1].imag], axis=1)
        result[:, 2] = np.stack([-moved_to[:, 1].imag, moved_to[:, 1].real], axis=1)
    else:
        result[:, :terms] = rows @ motion
    result[:, 0] += middle[groups]
    return result


def raw_coefficients(model: Model, coefficients: Array, centre: Array, scale: Array) -> Array:
    """Return the coefficients of 1, x, y, ... of pixels: (n, 2, k)."""
    return shifted(np.swapaxes(coefficients, 1, 2), model.order, centre, scale[:, None])


def transform_of(coefficients: Array) -> Any:
    """Make a transform of coefficients (2, k) of pixels: an AffineModel, or a Polynomial2DTransform."""
    if coefficients.shape[1] == term_count(1):
        (b0, m00, m01), (b1, m10, m11) = coefficients.tolist()
        return AffineModel(m00, m01, m10, m11, b0, b1)
    return Polynomial2DTransform(params=coefficients)
