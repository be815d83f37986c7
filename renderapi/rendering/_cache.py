"""Arrays kept in memory up to a number of bytes, each made by one thread at a time.

cachetools has caches bounded by a size, but the size of each entry counts there: an array that is kept under several
keys would count several times. Neither does it make what two threads ask for once, outside of its lock, nor pass
errors on to those who wait, nor survive a fork. What is left for it to do is an ordered dictionary.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

#: What an entry costs beside its pixels, so that many small ones are bounded too.
_OVERHEAD = 512


class ByteCache:
    """The arrays that were used last, at most so many bytes of them.

    Threads that ask for what another one is making wait for it. An error reaches all who wait, and is
    forgotten. An array larger than the whole cache is given, but not kept.

    Parameters
    ----------
    limit : int
        Bytes; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Array] = OrderedDict()
        self._keys: Counter[int] = Counter()
        self._making: dict[Hashable, Future[Array]] = {}
        self._bytes = 0
        self._pid = os.getpid()

    def get(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return the array of a key, made by ``make`` if it is not kept; what is kept becomes read-only."""
        self._leave_parent()
        while True:
            with self._lock:
                found = self._kept.get(key)
                if found is not None:
                    self._kept.move_to_end(key)
                    return found
                others = self._making.get(key)
                if others is None:
                    mine: Future[Array] = Future()
                    # clear() exchanges the dictionary: what began before it must not be kept after it
                    making = self._making
                    making[key] = mine
                    break
            try:
                return others.result()
            except CancelledError:
                continue  # whoever made it was interrupted: make it here
        return self._make(key, make, mine, making)

    def _make(
        self,
        key: Hashable,
        make: Callable[[], Array],
        mine: Future[Array],
        making: dict[Hashable, Future[Array]],
    ) -> Array:
        try:
            array = make()
            array.setflags(write=False)
        except BaseException as error:
            with self._lock:
                making.pop(key, None)
            if isinstance(error, Exception):
                mine.set_exception(error)
            else:
                mine.cancel()
            raise
        with self._lock:
            making.pop(key, None)
            if making is self._making:
                self._keep(key, array)
        mine.set_result(array)
        return array

    def _keep(self, key: Hashable, array: Array) -> None:
        if array.nbytes + _OVERHEAD > self.limit:
            return
        self._kept[key] = array
        self._keys[id(array)] += 1
        # one array may be kept under several keys, but is in memory once
        self._bytes += _OVERHEAD + (array.nbytes if self._keys[id(array)] == 1 else 0)
        while self._bytes > self.limit:
            oldest = self._kept.popitem(last=False)[1]
            self._keys[id(oldest)] -= 1
            self._bytes -= _OVERHEAD
            if not self._keys[id(oldest)]:
                del self._keys[id(oldest)]
                self._bytes -= oldest.nbytes

    def _leave_parent(self) -> None:
        # after a fork: a lock may be held, and an array be awaited, by a thread that is not here
        if self._pid != os.getpid():
            self._reset()

    def clear(self) -> None:
        """Forget everything, also what is being made now."""
        self._leave_parent()
        with self._lock:
            self._kept.clear()
            self._keys.clear()
            self._making = {}
            self._bytes = 0

    def usage(self) -> tuple[int, int]:
        """Return the number of arrays kept, and their bytes."""
        self._leave_parent()
        with self._lock:
            return len(self._kept), self._bytes


def halve(image: Array) -> Array:
    """Make an image of half the size: the mean of each 2x2 pixels.

    As in render-ws (mpicbg's Downsampler), the means of integers are truncated and an odd last row or column
    is dropped.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array
        uint8, uint16 or float32; each colour is taken for itself.

    Returns
    -------
    (H // 2, W // 2) or (H // 2, W // 2, 3) array
        Of the same dtype.
    """
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    result: Array = np.empty((rows, columns, *image.shape[2:]), image.dtype)
    wide = {1: np.uint16, 2: np.uint32}.get(image.dtype.itemsize)
    # bands that stay in the processor's cache
    height = max(1, (1 << 18) // max(1, image[:1].nbytes))
    for start in range(0, rows, height):
        stop = min(start + height, rows)
        upper, lower = (image[2 * start + n : 2 * stop : 2, : 2 * columns] for n in (0, 1))
        if wide is None:
            total = upper[:, 0::2] + upper[:, 1::2]
            total += lower[:, 0::2]
            total += lower[:, 1::2]
            np.multiply(total, image.dtype.type(0.25), out=result[start:stop])
        else:
            pairs = np.add(upper, lower, dtype=wide)
            total = pairs[:, 0::2] + pairs[:, 1::2]
            np.right_shift(total, 2, out=result[start:stop], casting="unsafe")
    return result
