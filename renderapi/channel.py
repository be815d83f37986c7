"""A channel of a tile that was imaged in several."""

from __future__ import annotations

import copy
from typing import Any

from renderapi.image_pyramid import ImagePyramid

__all__ = ["Channel", "ImagePyramid"]

_KNOWN_KEYS = frozenset({"name", "minIntensity", "maxIntensity", "mipmapLevels", "filterSpec"})


class Channel:
    """One channel of a tile: name, intensity range and images.

    Parameters
    ----------
    name : str, optional
        Name; a channel may have none.
    maxIntensity, minIntensity : float, optional
        Display range. A server takes 255 and 0 for what is not given; a maximum over 255 marks 16 bit.
    ip : ImagePyramid, optional
        Images.
    filterSpec : dict, optional
        FilterSpec document: what corrects the images (servers of render's branch newsolver).
    json : dict, optional
        A ChannelSpec document to take everything from; keys not listed here survive reading and writing.
    """

    #: Channels that older versions pickled have none.
    filterSpec: dict[str, Any] | None = None

    def __init__(
        self,
        name: str | None = None,
        maxIntensity: float | None = None,
        minIntensity: float | None = None,
        ip: ImagePyramid | None = None,
        json: dict[str, Any] | None = None,
        *,
        filterSpec: dict[str, Any] | None = None,
    ) -> None:
        if json is not None:
            self.from_dict(json)
        else:
            self.name = name
            self.maxIntensity = maxIntensity
            self.minIntensity = minIntensity
            self.ip = ip
            self.filterSpec = filterSpec

    def to_dict(self) -> dict[str, Any]:
        """Return the ChannelSpec document; what is None is left out."""
        document = {
            "name": self.name,
            "minIntensity": self.minIntensity,
            "maxIntensity": self.maxIntensity,
            "mipmapLevels": {} if self.ip is None else self.ip.to_dict(),
            **self.__dict__.get("_extra", {}),
            "filterSpec": self.filterSpec,
        }
        if not document["mipmapLevels"] and self.__dict__.get("_without_levels"):
            del document["mipmapLevels"]
        return {key: value for key, value in document.items() if value is not None}

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything from a ChannelSpec document; what it lacks becomes None.

        Parameters
        ----------
        d : dict
            The document.
        """
        self.name = d.get("name")
        self.minIntensity = d.get("minIntensity")
        self.maxIntensity = d.get("maxIntensity")
        self.ip = ImagePyramid.from_dict(d.get("mipmapLevels"))
        self.filterSpec = copy.deepcopy(d.get("filterSpec"))
        extra = {key: value for key, value in d.items() if key not in _KNOWN_KEYS}
        for name in ("_extra", "_without_levels"):
            self.__dict__.pop(name, None)
        if extra:
            self._extra = extra
        if d.get("mipmapLevels") is None:
            self._without_levels = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channel):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.minIntensity, self.maxIntensity))

    def __repr__(self) -> str:
        return (
            f"Channel(name={self.name!r}, minIntensity={self.minIntensity!r}, "
            f"maxIntensity={self.maxIntensity!r}, ip={self.ip!r})"
        )
