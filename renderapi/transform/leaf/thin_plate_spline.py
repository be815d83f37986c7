"""Thin plate splines with the kernel r^2 log r, in the format of TrakEM2 and jitk-tps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import _numbers
from renderapi.transform.leaf.common import as_points, blocks, point_pairs
from renderapi.transform.leaf.transform import Transform
from renderapi.utils import NullHandler, decodeBase64, encodeBase64

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = ["RenderError", "ThinPlateSplineTransform"]

# points evaluated at once: kernels of a block and of a few hundred landmarks stay in the cache
_BLOCK = 512


def _kernel(x: Array, y: Array, src: Array) -> Array:
    """Give r^2 log r between landmarks (2, L) and points x, y (n,), as (L, n)."""
    dx = x - src[0][:, None]
    dy = y - src[1][:, None]
    dx *= dx
    dy *= dy
    dx += dy
    r = np.sqrt(dx, out=dx)
    near = r <= 1e-8
    if near.any():
        r[near] = 1.0  # log 1 = 0
    log = np.log(r, out=dy)
    r *= r
    r *= log
    return r


def _weighted_sums(kernel: Array, weights: Array) -> tuple[Array, Array]:
    # over the landmarks in their order: numpy adds the rows of an outer axis one after the other
    return np.add.reduce(kernel * weights[0][:, None], axis=0), np.add.reduce(
        kernel * weights[1][:, None], axis=0
    )


class ThinPlateSplineTransform(Transform):
    """Thin plate spline: a sum of r^2 log r around landmarks, and an affine part.

    Parameters
    ----------
    dataString : str, optional
        ``ThinPlateSplineR2LogR``, number of dimensions, number of landmarks, and two base64 blocks: the affine part
        (or ``null``), then landmarks and weights.
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

    def __init__(
        self,
        dataString: str | None = None,
        json: dict[str, Any] | None = None,
        transformId: str | None = None,
        labels: list[str] | None = None,
    ) -> None:
        if json is not None:
            self.from_dict(json)
            return
        self.className = type(self).className
        self.transformId = transformId
        self.labels = labels
        if dataString is not None:
            self._parse(dataString)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of a leaf transform; it is not changed.

        Raises
        ------
        SpecError
            If className or dataString is missing, or the latter does not have the format above.
        """
        self._parse(self._read(d))

    def _parse(self, text: Any) -> None:
        if not isinstance(text, str):
            raise self._refusal("no dataString defined" if text is None else f"{text!r:.100} is no text")
        try:
            fields = _numbers.split_fields(text)
            if len(fields) != 5:
                raise SpecError(f"5 fields are needed, {len(fields)} found")
            ndims, count = _numbers.parse_integer(fields[1]), _numbers.parse_integer(fields[2])
            if ndims != 2 or count < 1:
                raise SpecError(f"{count} landmarks of {ndims} dimensions")
            affine = None if fields[3] == "null" else _block(fields[3], 6, "affine part")
            values = _block(fields[4], 4 * count, "landmarks and weights")
        except SpecError as error:
            raise self._refusal(error) from error
        self.ndims, self.nLm = ndims, count
        self.aMtx = None if affine is None else affine[:4].reshape(2, 2)
        self.bVec = None if affine is None else affine[4:]
        self.srcPts = np.ascontiguousarray(values[: 2 * count].reshape(count, 2).T)
        self.dMtxDat = values[2 * count :].reshape(2, count)

    @property
    def dataString(self) -> str | None:
        """Parameters as text, exact to the last bit; None while there are none."""
        if getattr(self, "srcPts", None) is None:
            return None
        a_mtx, b_vec = getattr(self, "aMtx", None), getattr(self, "bVec", None)
        affine = "null"
        if a_mtx is not None or b_vec is not None:
            a = np.zeros(4) if a_mtx is None else np.ravel(a_mtx)
            b = np.zeros(2) if b_vec is None else np.ravel(b_vec)
            affine = encodeBase64(np.concatenate([a, b]))
        src = np.asarray(self.srcPts, dtype=np.float64)
        block = encodeBase64(np.concatenate([src.T.ravel(), np.ravel(self.dMtxDat)]))
        return f"ThinPlateSplineR2LogR {self.ndims} {self.nLm} {affine} {block}"

    @dataString.setter
    def dataString(self, text: str) -> None:
        self._parse(text)

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
        if not computeAffine:
            weights = _solve(_kernel(p[:, 0], p[:, 1], p.T), q - p)
            return np.ascontiguousarray(weights.T), None, None
        # centred and scaled: at stage coordinates the system cannot be solved as it stands
        centre = p.mean(axis=0)
        size = float(np.abs(p - centre).max())
        if size == 0:
            raise EstimationError("a thin plate spline cannot be estimated: all landmarks are the same")
        n = (p - centre) / size
        count = len(n)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(n[:, 0], n[:, 1], n.T)
        system[:count, count:] = np.column_stack([n, np.ones(count)])
        system[count:, :count] = system[:count, count:].T
        shift = (q - p).mean(axis=0)
        solution = _solve(system, np.vstack([q - p - shift, np.zeros((3, 2))]))
        scaled = solution[:count]
        a_mtx = np.ascontiguousarray(solution[count : count + 2].T) / size
        # G(size rho) = size^2 (G(rho) + rho^2 log size); the weights add up to nothing over 1, x, y,
        # so that the second term is a constant
        b_vec = solution[count + 2] + shift - np.log(size) * ((n * n).sum(axis=1) @ scaled) - a_mtx @ centre
        return np.ascontiguousarray(scaled.T) / size**2, a_mtx, b_vec

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

    def computeDeformationContribution(self, points: ArrayLike) -> Array:
        """Give the part of the displacement that is not affine.

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
        out = np.zeros(p.shape)
        landmarks = self._landmarks()
        if landmarks is not None:
            for part in blocks(len(p), _BLOCK):
                x, y = np.ascontiguousarray(p[part].T)
                out[part, 0], out[part, 1] = _weighted_sums(_kernel(x, y, landmarks[0]), landmarks[1])
        return out

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
        a_mtx, b_vec = getattr(self, "aMtx", None), getattr(self, "bVec", None)
        (a00, a01), (a10, a11) = (
            ((0.0, 0.0), (0.0, 0.0)) if a_mtx is None else np.asarray(a_mtx, float).tolist()
        )
        b0, b1 = (0.0, 0.0) if b_vec is None else np.asarray(b_vec, float).tolist()
        x, y = p[:, 0], p[:, 1]
        if a_mtx is None:
            out[:, 0] += b0 + x
            out[:, 1] += b1 + y
            return out
        for column, (ax, ay, b) in enumerate([(a00, a01, b0), (a10, a11, b1)]):
            out[:, column] += ax * x
            out[:, column] += ay * y
            out[:, column] += b + p[:, column]
        return out

    def apply(self, points: ArrayLike) -> Array:
        """Map points: the same as `tform`.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
        """
        return self.tform(points)

    def _jacobians(self, p: Array) -> Array:
        # (N, 2, 2) derivatives of the mapped points
        a_mtx = getattr(self, "aMtx", None)
        J = np.empty((len(p), 2, 2))
        J[:] = np.eye(2) + (0.0 if a_mtx is None else np.asarray(a_mtx, float))
        landmarks = self._landmarks()
        if landmarks is None:
            return J
        src, weights = landmarks
        for part in blocks(len(p), _BLOCK):
            dx, dy = (p[part, axis] - src[axis][:, None] for axis in (0, 1))
            r2 = dx * dx + dy * dy
            # gradient of r^2 log r is (2 log r + 1) times the difference, and 0 at the landmark
            slope = np.log(np.where(r2 > 1e-16, r2, 1.0)) + 1.0
            for axis, difference in enumerate((dx, dy)):
                J[part, :, axis] += (weights @ (slope * difference)).T
        return J

    def gradient_descent(
        self, pts: ArrayLike, gamma: float = 1.0, precision: float = 0.0001, max_iters: int = 1000
    ) -> Array:
        """Find the points that are mapped to given ones, by damped Newton iteration.

        Parameters
        ----------
        pts : (N, 2) array
            Points to map backwards.
        gamma : float
            Length of the first trial step as fraction of the Newton step.
        precision : float
            Largest distance between a point and what its inverse is mapped to. Iteration goes on below it
            while that costs a step or two.
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
        guess = self._initial_guess(target)
        step_size = np.full(len(target), float(gamma))
        residual = target - self.tform(guess)
        distance = np.hypot(*residual.T)
        # well below the precision asked for, but not below what coordinates of that size can tell
        goal = np.minimum(precision, 1e-9) + 8 * np.finfo(float).eps * np.abs(target).max(axis=1, initial=1.0)
        for _ in range(max_iters):
            open_ = np.flatnonzero(~(distance <= goal) & (step_size > 1e-6))
            if not len(open_):
                break
            J = self._jacobians(guess[open_])
            det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
            rx, ry = residual[open_].T
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = np.column_stack(
                    [(J[:, 1, 1] * rx - J[:, 0, 1] * ry) / det, (J[:, 0, 0] * ry - J[:, 1, 0] * rx) / det]
                )
                trial = guess[open_] + step_size[open_, None] * step
                left = target[open_] - self.tform(trial)
                reached = np.hypot(*left.T)
            better = reached < distance[open_]
            taken = open_[better]
            guess[taken], residual[taken], distance[taken] = trial[better], left[better], reached[better]
            step_size[taken] = np.minimum(1.0, 2 * step_size[taken])
            step_size[open_[~better]] /= 2
        bad = ~(distance <= precision)
        if bad.any():
            worst = int(np.argmax(np.where(np.isfinite(distance), distance, np.inf)))
            x, y = target[worst]
            raise EstimationError(
                f"{int(bad.sum())} of {len(target)} points cannot be mapped backwards through the thin plate spline "
                f"to {precision} px in {max_iters} iterations; the worst, ({x}, {y}), is missed by {distance[worst]} px"
            )
        return guess

    def _initial_guess(self, target: Array) -> Array:
        # what the affine part alone would give, where it has an inverse
        a_mtx, b_vec = getattr(self, "aMtx", None), getattr(self, "bVec", None)
        linear = np.eye(2) + (0.0 if a_mtx is None else np.asarray(a_mtx, float))
        shift = np.zeros(2) if b_vec is None else np.asarray(b_vec, float)
        candidates = [target.copy()]
        if abs(np.linalg.det(linear)) > 1e-12 * np.abs(linear).max() ** 2:
            candidates.append(np.linalg.solve(linear, (target - shift).T).T)
        landmarks = self._landmarks()
        if landmarks is not None:
            # and the landmark that is mapped closest
            src = landmarks[0].T
            mapped = self.tform(src)
            nearest = np.empty(len(target), dtype=np.intp)
            for part in blocks(len(target), _BLOCK):
                gap = target[part, None, :] - mapped[None, :, :]
                nearest[part] = np.argmin((gap * gap).sum(axis=2), axis=1)
            candidates.append(src[nearest])
        best = candidates[0]
        missed = np.hypot(*(target - self.tform(best)).T)
        for candidate in candidates[1:]:
            distance = np.hypot(*(target - self.tform(candidate)).T)
            closer = ~(distance >= missed)
            best[closer], missed[closer] = candidate[closer], distance[closer]
        return best

    def inverse_tform(
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
        """Give a regular grid of points.

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
                    f"no thin plate spline within {tol} px after {max_iter} rounds with {len(landmarks)} landmarks: "
                    f"the worst of {len(src)} points is missed by {missed.max()} px"
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
        """Give a spline with fewer landmarks that maps the landmarks of this one well enough.

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
        """Give the spline for coordinates that are scaled before and after it.

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


def _block(field: str, count: int, what: str) -> Array:
    try:
        values = np.asarray(decodeBase64(field), dtype=np.float64)
    except ValueError as error:
        raise SpecError(f"the block with the {what} cannot be decoded: {error}") from error
    if values.size != count:
        raise SpecError(f"the block with the {what} should hold {count} numbers, it holds {values.size}")
    return values


def _solve(system: Array, target: Array) -> Array:
    try:
        solution: Array = np.linalg.solve(system, target)
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            "a thin plate spline cannot be estimated: landmarks are the same or all on one line"
        ) from error
    error = np.abs(system @ solution - target).max()
    if not error <= 1e-6 * max(1.0, np.abs(target).max()):
        raise EstimationError(
            "a thin plate spline cannot be estimated: landmarks are the same, nearly the same, or all on one line"
        )
    return solution
