"""Thin plate splines with the kernel r^2 log r, in the format of TrakEM2 and jitk-tps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import _inverse, _spline, data_strings
from renderapi.transform.leaf.common import as_points, point_pairs
from renderapi.transform.leaf.transform import ParsedTransform, Transform
from renderapi.utils import NullHandler, decodeBase64, encodeBase64

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = ["RenderError", "ThinPlateSplineTransform", "Transform", "decodeBase64"]


class ThinPlateSplineTransform(ParsedTransform):
    """Thin plate spline: a sum of r^2 log r around landmarks, and an affine part.

    Parameters
    ----------
    dataString : str, optional
        ``ThinPlateSplineR2LogR``, number of dimensions, number of landmarks, and two base64 blocks: the
        affine part (or ``null``), then landmarks and weights.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Attributes
    ----------
    ndims : int
        Number of dimensions, 2.
    nLm : int
        Number of landmarks.
    srcPts : (2, nLm) float64 array
        Landmarks.
    dMtxDat : (2, nLm) float64 array
        Weights.
    aMtx : (2, 2) float64 array or None
        Linear part, as deviation from the identity; None if there is no affine part.
    bVec : (2,) float64 array or None
        Translation.
    compat : {"master", "newsolver"}
        Branch of render whose arithmetic maps points: they differ by less than 1e-9 pixels. It is not written.

    Notes
    -----
    All attributes may be set by hand. A transform without landmarks is the identity.
    """

    className = "mpicbg.trakem2.transform.ThinPlateSplineTransform"
    ndims: int
    nLm: int
    srcPts: Array
    dMtxDat: Array
    aMtx: Array | None
    bVec: Array | None
    compat: str = "master"

    @classmethod
    def identity(cls) -> ThinPlateSplineTransform:
        """Return a spline that maps every point to itself: one landmark of weight 0, no affine part."""
        transform = cls()
        transform.srcPts, transform.dMtxDat = np.zeros((2, 1)), np.zeros((2, 1))
        transform.ndims, transform.nLm = 2, 1
        transform.aMtx = transform.bVec = None
        return transform

    def _parse_text(self, text: str) -> None:
        fields = data_strings.split_fields(text)
        if len(fields) != 5:
            raise SpecError(f"5 fields are needed, {len(fields)} found")
        ndims, count = data_strings.parse_integer(fields[1]), data_strings.parse_integer(fields[2])
        if ndims != 2 or count < 1:
            raise SpecError(f"{count} landmarks of {ndims} dimensions")
        affine = None if fields[3] == "null" else data_strings.parse_block(fields[3], 6)
        values = data_strings.parse_block(fields[4], 4 * count)
        self.ndims, self.nLm = ndims, count
        self.aMtx = None if affine is None else affine[:4].reshape(2, 2)
        self.bVec = None if affine is None else affine[4:]
        self.srcPts = np.ascontiguousarray(values[: 2 * count].reshape(count, 2).T)
        self.dMtxDat = values[2 * count :].reshape(2, count)

    def _format_text(self) -> str | None:
        if getattr(self, "srcPts", None) is None:
            return None
        linear, translation = self._affine_part()
        affine = "null"
        if linear is not None or translation.any():
            affine = encodeBase64(
                np.concatenate([np.zeros(4) if linear is None else linear.ravel(), translation])
            )
        src = np.asarray(self.srcPts, dtype=np.float64)
        block = encodeBase64(np.concatenate([src.T.ravel(), np.ravel(self.dMtxDat)]))
        return f"ThinPlateSplineR2LogR {len(src)} {src.shape[1]} {affine} {block}"

    @staticmethod
    def fit(
        A: ArrayLike, B: ArrayLike, computeAffine: bool = True
    ) -> tuple[Array, Array | None, Array | None]:
        """Find the spline that maps points exactly.

        Parameters
        ----------
        A, B : (N, 2) array
            Landmarks, all different, and the points that they are mapped to.
        computeAffine : bool
            Include an affine part. Then at least three landmarks that are not on a line are needed.

        Returns
        -------
        dMtxDat : (2, N) array
            Weights.
        aMtx : (2, 2) array or None
            Linear part, as deviation from the identity; None without affine part.
        bVec : (2,) array or None
            Translation.

        Raises
        ------
        EstimationError
            If there is no such spline.
        """
        p, q, _ = point_pairs(A, B, None, 3 if computeAffine else 1, "a thin plate spline")
        return _spline.fit(p, q, computeAffine)

    def estimate(self, A: ArrayLike, B: ArrayLike, computeAffine: bool = True) -> None:
        """Set this transform to the spline that maps points exactly.

        Parameters
        ----------
        A, B : (N, 2) array
            Landmarks, and the points that they are mapped to.
        computeAffine : bool
            Include an affine part.

        Raises
        ------
        EstimationError
            If there is no such spline.
        """
        self.dMtxDat, self.aMtx, self.bVec = self.fit(A, B, computeAffine=computeAffine)
        self.srcPts = np.ascontiguousarray(as_points(A).T.copy())
        self.ndims, self.nLm = self.srcPts.shape

    def _landmarks(self) -> tuple[Array, Array] | None:
        src = getattr(self, "srcPts", None)
        weights = getattr(self, "dMtxDat", None)
        if src is None or weights is None:
            return None
        return np.asarray(src, dtype=np.float64), np.asarray(weights, dtype=np.float64)

    def _affine_part(self) -> tuple[Array | None, Array]:
        # linear part or None, and translation; all of it may be missing in a transform made by hand
        a_mtx, b_vec = getattr(self, "aMtx", None), getattr(self, "bVec", None)
        linear = None if a_mtx is None else np.asarray(a_mtx, dtype=np.float64)
        return linear, np.zeros(2) if b_vec is None else np.asarray(b_vec, dtype=np.float64).ravel()

    def computeDeformationContribution(self, points: ArrayLike) -> Array:
        """Return the part of the displacement that is not affine.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            Sums over the landmarks of weight times r^2 log r.
        """
        p = as_points(points)
        landmarks = self._landmarks()
        if landmarks is None:
            return np.zeros(p.shape)
        return _spline.deformation(p, *landmarks, squared=self.compat == "newsolver")

    def tform(self, points: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points as render computes them (logarithms may differ in the last bit).

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        p = as_points(points)
        out = self.computeDeformationContribution(p)
        linear, translation = self._affine_part()
        for axis in (0, 1):
            if linear is not None:
                out[:, axis] += linear[axis, 0] * p[:, 0]
                out[:, axis] += linear[axis, 1] * p[:, 1]
            out[:, axis] += translation[axis] + p[:, axis]
        return out

    def apply(self, points: ArrayLike) -> Array:
        """Map points, or one of them; without weights (`dMtxDat`) they stay where they are, as in TrakEM2.

        Parameters
        ----------
        points : (N, 2) or (2,) array
            Points x, y.

        Returns
        -------
        (N, 2) or (2,) array
        """
        p = np.asarray(points, dtype=np.float64)
        if getattr(self, "dMtxDat", None) is None:
            return p.copy()
        return self.tform(p[None])[0] if p.shape == (2,) else self.tform(p)

    def _jacobians(self, p: Array) -> Array:
        # (N, 2, 2) derivatives of the mapped points
        linear, _ = self._affine_part()
        landmarks = self._landmarks()
        constant = np.eye(2) if linear is None else np.eye(2) + linear
        return constant + (np.zeros((len(p), 2, 2)) if landmarks is None else _spline.gradient(p, *landmarks))

    def gradient_descent(
        self, pts: ArrayLike, gamma: float = 1.0, precision: float = 0.0001, max_iters: int = 1000
    ) -> Array:
        """Find the points that are mapped to given ones.

        Each step moves a point by what its image misses; where that leads away, which it does where the
        derivatives of the spline are far from the identity, damped Newton iteration finds the point.

        Parameters
        ----------
        pts : (N, 2) array
            Points to map backwards.
        gamma : float
            Length of a step, and of the first trial step of Newton's, as fraction of a whole one.
        precision : float
            Largest distance between a point and what its inverse is mapped to. What is reached is refined
            below it.
        max_iters : int
            Largest number of steps.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        EstimationError
            If some point is not reached: it has no inverse, or the spline folds there.
        """
        target = as_points(pts)
        guess, diverged, unfinished, missed = _inverse.plain_steps(
            self.tform, target, gamma, precision, max_iters
        )
        if unfinished.any():
            raise EstimationError(
                f"{int(unfinished.sum())} of {len(target)} points are not mapped backwards through a thin plate "
                f"spline to {precision} px after {max_iters} steps (max_iters); the worst is missed by "
                f"{missed[unfinished].max()} px"
            )
        guess[diverged] = self._initial_guess(target[diverged])
        steps = max_iters if diverged.any() else 100
        return _inverse.newton(
            self.tform,
            self._jacobians,
            target,
            guess,
            "a thin plate spline",
            gamma=gamma,
            precision=precision,
            max_iters=steps,
        )

    def _initial_guess(self, target: Array) -> Array:
        # the best of: the point itself, the inverse of the affine part, the landmark that is mapped closest
        linear, translation = self._affine_part()
        candidates = [target.copy()]
        if linear is not None:
            whole = np.eye(2) + linear
            if abs(np.linalg.det(whole)) > 1e-12 * np.abs(whole).max() ** 2:
                solved: Array = np.linalg.solve(whole, (target - translation).T).astype(
                    np.float64, copy=False
                )
                candidates.append(solved.T)
        landmarks = self._landmarks()
        if landmarks is not None:
            src = np.ascontiguousarray(landmarks[0].T)
            candidates.append(src[_spline.nearest(target, self.tform(src))])
        best = candidates[0]
        missed = np.hypot(*(target - self.tform(best)).T)
        for candidate in candidates[1:]:
            distance = np.hypot(*(target - self.tform(candidate)).T)
            closer = ~(distance >= missed)
            best[closer], missed[closer] = candidate[closer], distance[closer]
        return best

    def inverse_tform(  # type: ignore[override]
        self, points: ArrayLike, gamma: float = 1.0, precision: float = 0.0001, max_iters: int = 1000
    ) -> Array:
        """Map points backwards.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.
        gamma, precision, max_iters
            As for `gradient_descent`.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        EstimationError
            If some point cannot be mapped backwards.
        """
        return self.gradient_descent(points, gamma=gamma, precision=precision, max_iters=max_iters)

    @staticmethod
    def src_array(xmin: float, ymin: float, xmax: float, ymax: float, nx: int, ny: int) -> Array:
        """Return a regular grid of points.

        Parameters
        ----------
        xmin, ymin, xmax, ymax : float
            Box that the grid fills.
        nx, ny : int
            Number of columns and rows.

        Returns
        -------
        (nx * ny, 2) array
            Column by column.
        """
        x, y = np.meshgrid(np.linspace(xmin, xmax, nx), np.linspace(ymin, ymax, ny), indexing="ij")
        return np.column_stack([x.ravel(), y.ravel()])

    @staticmethod
    def mesh_refine(
        new_src: ArrayLike,
        old_src: ArrayLike,
        old_dst: ArrayLike,
        old_tf: ThinPlateSplineTransform | None = None,
        computeAffine: bool = True,
        tol: float = 1.0,
        max_iter: int = 50,
        nworst: int = 10,
        niter: int = 0,
    ) -> ThinPlateSplineTransform:
        """Find a spline with few landmarks that maps many points well enough.

        Starting from the landmarks `new_src` the points that are missed most are added to them, until
        none is missed by more than `tol`.

        Parameters
        ----------
        new_src : (K, 2) array
            Landmarks to start with.
        old_src, old_dst : (N, 2) array
            Points, and what they should be mapped to.
        old_tf : ThinPlateSplineTransform, optional
            Tells what the landmarks are mapped to; default: the spline through all of old_src and old_dst.
        computeAffine : bool
            Include an affine part.
        tol : float
            Largest distance allowed in pixels.
        max_iter : int
            Largest number of rounds.
        nworst : int
            Number of points added in a round.
        niter : int
            Number of rounds that count as done.

        Returns
        -------
        ThinPlateSplineTransform
            The best spline that was found.

        Raises
        ------
        EstimationError
            If no spline can be fitted, or none within `tol` after `max_iter` rounds.
        """
        landmarks, src, dst = as_points(new_src), as_points(old_src), as_points(old_dst)
        if old_tf is None:
            old_tf = ThinPlateSplineTransform()
            old_tf.estimate(src, dst, computeAffine=computeAffine)
        targets = old_tf.tform(landmarks)
        used = np.zeros(len(src), dtype=bool)
        while True:
            refined = ThinPlateSplineTransform()
            refined.estimate(landmarks, targets, computeAffine=computeAffine)
            missed = np.hypot(*(refined.tform(src) - dst).T)
            # a landmark is mapped exactly, and must not be there twice
            missed[used | (src[:, None] == landmarks[None]).all(axis=2).any(axis=1)] = 0.0
            if not (missed > tol).any():
                return refined
            niter += 1
            if niter > max_iter:
                raise EstimationError(
                    f"no thin plate spline within {tol} px after {max_iter} rounds with {len(landmarks)} "
                    f"landmarks: the worst of {len(src)} points is missed by {missed.max()} px"
                )
            worst = np.argsort(missed, kind="stable")[::-1][:nworst]
            worst = worst[missed[worst] > tol]
            used[worst] = True
            landmarks = np.vstack([landmarks, src[worst]])
            targets = np.vstack([targets, dst[worst]])

    def adaptive_mesh_estimate(
        self,
        starting_grid: int = 7,
        computeAffine: bool = True,
        tol: float = 1.0,
        max_iter: int = 50,
        nworst: int = 10,
    ) -> ThinPlateSplineTransform:
        """Return a spline with fewer landmarks that maps the landmarks of this one well enough.

        Parameters
        ----------
        starting_grid : int
            Landmarks per side of the regular grid to start with.
        computeAffine, tol, max_iter, nworst
            As for `mesh_refine`.

        Returns
        -------
        ThinPlateSplineTransform
            A new transform without id or labels.

        Raises
        ------
        EstimationError
            If none is found.
        """
        src = self._source_points()
        (xmin, ymin), (xmax, ymax) = src.min(axis=0), src.max(axis=0)
        grid = self.src_array(xmin, ymin, xmax, ymax, starting_grid, starting_grid)
        return self.mesh_refine(
            grid,
            src,
            self.tform(src),
            self,
            computeAffine=computeAffine,
            tol=tol,
            max_iter=max_iter,
            nworst=nworst,
        )

    def scale_coordinates(
        self, factor: float, ngrid: int = 20, preserve_srcPts: bool = False
    ) -> ThinPlateSplineTransform:
        """Return the spline for coordinates that are scaled before and after it.

        Parameters
        ----------
        factor : float
            The new transform maps factor * p to factor * tform(p).
        ngrid : int
            Landmarks per side of the regular grid over the old landmarks that the new spline goes through.
        preserve_srcPts : bool
            Also make the scaled old landmarks landmarks of the new spline.

        Returns
        -------
        ThinPlateSplineTransform
            A new transform without id or labels.

        Raises
        ------
        EstimationError
            If it cannot be fitted.
        """
        src = self._source_points()
        (xmin, ymin), (xmax, ymax) = src.min(axis=0), src.max(axis=0)
        grid = self.src_array(xmin, ymin, xmax, ymax, ngrid, ngrid)
        if preserve_srcPts:
            new = ~(grid[:, None] == src[None]).all(axis=2).any(axis=1)
            grid = np.vstack([src, grid[new]])
        scaled = ThinPlateSplineTransform()
        scaled.estimate(
            factor * grid, factor * self.tform(grid), computeAffine=getattr(self, "aMtx", None) is not None
        )
        return scaled

    def _source_points(self) -> Array:
        landmarks = self._landmarks()
        if landmarks is None:
            raise ConversionError("the thin plate spline has no landmarks yet")
        return np.ascontiguousarray(landmarks[0].T)

    def _values(self) -> Any:
        names = ("srcPts", "dMtxDat", "aMtx", "bVec")
        arrays = (getattr(self, name, None) for name in names)
        return tuple(None if array is None else tuple(np.ravel(array).tolist()) for array in arrays)

    def _summary(self) -> str:
        if self._landmarks() is None:
            return ""
        return f"{self.nLm} landmarks, {'no ' if getattr(self, 'aMtx', None) is None else ''}affine part"
