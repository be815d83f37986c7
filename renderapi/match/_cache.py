"""Features that were found once are used for all pairs of their tile."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from renderapi._replacing import replacing
from renderapi.match._features import Features


class FeatureCache:
    """Features of canvases, up to a number of bytes; those that were not used for longest go first.

    Parameters
    ----------
    most_bytes : int
        Memory. Default 1 GB: some 2,500 tiles of 2,500 features.
    folder : path, optional
        Where features are kept for other processes and later runs, one file for each canvas. Nothing is removed
        there. Whether an image file has changed since is not looked at.

    Examples
    --------
    >>> FeatureCache(10**8)
    <0 canvases, 0 of 100000000 bytes>
    """

    def __init__(self, most_bytes: int = 10**9, folder: str | os.PathLike[str] | None = None) -> None:
        self.most_bytes = most_bytes
        self.folder = None if folder is None else Path(folder)
        self.found = 0
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Features] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[str, Future[Features]] = {}

    def __repr__(self) -> str:
        return f"<{len(self._kept)} canvases, {self._bytes} of {self.most_bytes} bytes>"

    def get(self, key: str, find: Callable[[], Features]) -> Features:
        """Return features, and find them if they are not there; two threads do not find the same.

        Parameters
        ----------
        key : str
            What they are known by, the name of a file.
        find : callable
            Finds them.

        Returns
        -------
        Features
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            waiting = self._under_way.get(key)
            if waiting is None:
                mine = self._under_way[key] = Future()
        if waiting is not None:
            return waiting.result()
        try:
            features = self._read(key)
            if features is None:
                features = find()
                self.found += 1
                self._write(key, features)
            with self._lock:
                self._keep(key, features)
            mine.set_result(features)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return features

    def _keep(self, key: str, features: Features) -> None:
        self._kept[key] = features
        self._bytes += features.nbytes
        while self._bytes > self.most_bytes and self._kept:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def _read(self, key: str) -> Features | None:
        if self.folder is None:
            return None
        try:
            content = BytesIO((self.folder / f"{key}.npz").read_bytes())
            with np.load(content, allow_pickle=False) as file:
                width, height, x_extent, y_extent, blank, masked = (int(number) for number in file["size"])
                scale, x, y = (float(number) for number in file["place"])
                return Features(
                    file["points"], file["scales"], file["descriptors"], (width, height), scale, (x, y),
                    (x_extent, y_extent), bool(blank), file["mask"] if masked else None,
                )  # fmt: skip
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None  # not there, or not whole: they are found anew

    def _write(self, key: str, features: Features) -> None:
        if self.folder is None:
            return
        with replacing(self.folder / f"{key}.npz") as part, part.open("wb") as file:
            np.savez(
                file,
                points=features.points,
                scales=features.scales,
                descriptors=features.descriptors,
                size=np.array([*features.size, *features.extent, features.blank, features.mask is not None]),
                place=np.array([features.scale, *features.offset]),
                mask=np.zeros(0, bool) if features.mask is None else features.mask,
            )
