"""The images of a tile: mipmap levels with their image and mask files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, KeysView, Mapping, MutableMapping
from typing import Any

from renderapi.errors import RenderError, SpecError
from renderapi.utils import NullHandler

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "ImagePyramid",
    "MipMap",
    "MipMapLevel",
    "NullHandler",
    "RenderError",
    "TransformedDict",
    "logger",
]


#: Keys of an ImageAndMask document.
_KEYS = frozenset(
    {"imageUrl", "imageLoaderType", "imageSliceNumber", "maskUrl", "maskLoaderType", "maskSliceNumber"}
)


class MipmapLevelError(SpecError, KeyError):
    """A pyramid has no such mipmap level."""


class MipMap:
    """Image and mask of one mipmap level.

    Parameters
    ----------
    imageUrl, maskUrl : str, optional
        Path or URL of the image and of its mask.
    **kwargs
        Other keys of the ImageAndMask document, such as ``imageLoaderType`` and ``imageSliceNumber``.

    Notes
    -----
    Every key can be read and set as attribute and as item; as item only those that the document has.
    Iterating gives the items that are not None, so
    that ``dict(mipmap)`` is the document, and a mipmap equals the dict of its keys.
    """

    def __init__(self, imageUrl: str | None = None, maskUrl: str | None = None, **kwargs: Any) -> None:
        self.imageUrl = imageUrl
        self.maskUrl = maskUrl
        self.__dict__.update(kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Return the ImageAndMask document; what is None is left out."""
        document = self.__dict__.copy()
        if document.get("maskUrl", "") is None:  # of nearly all tiles, and faster than to look at each
            del document["maskUrl"]
        if None in document.values():
            return {key: value for key, value in document.items() if value is not None}
        return document

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.to_dict().items())

    def __getitem__(self, key: str) -> Any:
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in _KEYS and key not in self.__dict__:
            raise KeyError(key)
        self.__dict__[key] = value

    def __eq__(self, b: object) -> bool:
        if isinstance(b, MipMap):
            return self.to_dict() == b.to_dict()
        if isinstance(b, Mapping):
            return self.to_dict() == {key: value for key, value in b.items() if value is not None}
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.imageUrl, self.maskUrl))

    def __repr__(self) -> str:
        return f"MipMap({', '.join(f'{key}={value!r}' for key, value in self)})"


class MipMapLevel:
    """A `MipMap` together with its level (deprecated: `ImagePyramid` is a dict from level to `MipMap`).

    Parameters
    ----------
    level : int
        Level: each is half the size of the one before.
    imageUrl, maskUrl : str, optional
        As for `MipMap`.
    """

    def __init__(self, level: int, imageUrl: str | None = None, maskUrl: str | None = None) -> None:
        warnings.warn(
            "MipMapLevel is deprecated: use ImagePyramid({level: MipMap(...)})",
            DeprecationWarning,
            stacklevel=2,
        )
        self.level = level
        self.mipmap = MipMap(imageUrl, maskUrl)

    def to_dict(self) -> dict[str, Any]:
        """Return the ImageAndMask document, which does not hold the level."""
        return self.mipmap.to_dict()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.mipmap)

    def __getitem__(self, key: str) -> Any:
        return self.mipmap[key]

    def __eq__(self, b: object) -> bool:
        if not isinstance(b, MipMapLevel):
            return NotImplemented
        return self.level == b.level and self.mipmap == b.mipmap

    def __hash__(self) -> int:
        return hash((self.level, self.mipmap))

    def __repr__(self) -> str:
        return f"MipMapLevel({self.level!r}, {self.mipmap!r})"


class TransformedDict(MutableMapping):  # type: ignore[type-arg]
    """A dict that puts every key into one form first; ``__keytransform__`` says which.

    Parameters
    ----------
    *args, **kwargs
        As for `dict`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.store: dict[Any, Any] = {}
        if args or kwargs:
            self.update(dict(*args, **kwargs))

    def __getitem__(self, key: Any) -> Any:
        return self.store[self.__keytransform__(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.store[self.__keytransform__(key)] = value

    def __delitem__(self, key: Any) -> None:
        del self.store[self.__keytransform__(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.store)

    def __len__(self) -> int:
        return len(self.store)

    def __keytransform__(self, key: Any) -> Any:
        return key


class ImagePyramid(TransformedDict):
    """The mipmap levels of a tile: a dict from level to `MipMap`.

    Levels may be given as numbers or text, are kept as text, and are iterated in numeric order.

    Parameters
    ----------
    *args, **kwargs
        As for `dict`; or one list of `MipMapLevel`.

    Raises
    ------
    SpecError
        That is also a KeyError, for a level that is not there or none at all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if (
            len(args) == 1
            and type(args[0]) is not dict
            and not isinstance(args[0], Mapping)
            and isinstance(args[0], Iterable)
        ):
            levels = list(args[0])
            if all(isinstance(level, MipMapLevel) for level in levels):
                args = ({level.level: level.mipmap for level in levels},)
            else:
                args = (levels,)
        super().__init__(*args, **kwargs)

    def __keytransform__(self, key: Any) -> str:
        try:
            level = int(key)
        except (TypeError, ValueError, OverflowError):
            level = None
        if level is None or (level != key and not isinstance(key, str)):
            raise MipmapLevelError(f"a mipmap level is a whole number, not {key!r}")
        return str(level)

    def _known(self, key: Any) -> str:
        level = self.__keytransform__(key)
        if level not in self.store:
            raise MipmapLevelError(f"there is no mipmap level {key!r}: the levels are {list(self)}")
        return level

    def __getitem__(self, key: Any) -> Any:
        return self.store[self._known(key)]

    def __delitem__(self, key: Any) -> None:
        del self.store[self._known(key)]

    def __contains__(self, key: object) -> bool:
        try:
            return self.__keytransform__(key) in self.store
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        if len(self.store) < 2:
            return iter(self.store)
        return iter(sorted(self.store, key=int))

    @property
    def levels(self) -> KeysView[str]:
        """The levels, as text in numeric order."""
        return self.keys()

    def to_dict(self) -> dict[str, Any]:
        """Return the ``mipmapLevels`` document."""
        store = self.store
        result = {}
        for level in self if len(store) > 1 else store:
            mipmap = store[level]
            result[level] = mipmap.to_dict() if isinstance(mipmap, MipMap) else dict(mipmap)
        return result

    @classmethod
    def from_dict(cls, d: Mapping[str, Any] | None) -> ImagePyramid:
        """Make a pyramid of a ``mipmapLevels`` document.

        Parameters
        ----------
        d : dict or None
            Level to ImageAndMask document; unknown keys are kept.

        Returns
        -------
        ImagePyramid
            The pyramid, without levels for None.
        """
        return cls({level: MipMap(**mipmap) for level, mipmap in (d or {}).items()})

    def __repr__(self) -> str:
        return f"ImagePyramid({{{', '.join(f'{level!r}: {self[level]!r}' for level in self)}}})"
