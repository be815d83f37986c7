"""Where and how a tile was acquired: the ``layout`` of a tile spec."""

from __future__ import annotations

from typing import Any

#: Attribute of `Layout` -> key of the LayoutData document.
_KEYS = {
    "sectionId": "sectionId",
    "scopeId": "temca",
    "cameraId": "camera",
    "imageRow": "imageRow",
    "imageCol": "imageCol",
    "stageX": "stageX",
    "stageY": "stageY",
    "rotation": "rotation",
    "pixelsize": "pixelsize",
    "distanceZ": "distanceZ",
}
_KNOWN_KEYS = frozenset(_KEYS.values())
_DEFAULT_PIXELSIZE = 0.1


class Layout:
    """Acquisition metadata of a tile.

    Parameters
    ----------
    sectionId : str, optional
        Section that the tile belongs to.
    scopeId, cameraId : str, optional
        Microscope and camera (``temca`` and ``camera`` in the document).
    imageRow, imageCol : int, optional
        Place of the tile in the grid of its montage.
    stageX, stageY : float, optional
        Stage coordinates.
    rotation : float, optional
        Rotation of the camera.
    pixelsize : float, optional
        Size of a pixel, in nm by convention.
    force_pixelsize : bool
        Take 0.1 for a pixel size that is not given.
    distanceZ : float, optional
        Distance from the previous section.
    **kwargs
        Ignored.

    Notes
    -----
    Keys of a document that are not listed here survive reading and writing.
    """

    _extra: dict[str, Any] | None = None

    def __init__(
        self,
        sectionId: str | None = None,
        scopeId: str | None = None,
        cameraId: str | None = None,
        imageRow: int | None = None,
        imageCol: int | None = None,
        stageX: float | None = None,
        stageY: float | None = None,
        rotation: float | None = None,
        pixelsize: float | None = None,
        force_pixelsize: bool = True,
        distanceZ: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.sectionId = sectionId
        self.scopeId = scopeId
        self.cameraId = cameraId
        self.imageRow = imageRow
        self.imageCol = imageCol
        self.stageX = stageX
        self.stageY = stageY
        self.rotation = rotation
        self.pixelsize = _DEFAULT_PIXELSIZE if pixelsize is None and force_pixelsize else pixelsize
        self.distanceZ = distanceZ

    def to_dict(self) -> dict[str, Any]:
        """Return the LayoutData document; what is None is left out."""
        # written out, not looped: 10^4 tiles a section go through here
        document: dict[str, Any] = {}
        if (value := self.sectionId) is not None:
            document["sectionId"] = value
        if (text := self.scopeId) is not None:
            document["temca"] = text
        if (text := self.cameraId) is not None:
            document["camera"] = text
        if (number := self.imageRow) is not None:
            document["imageRow"] = number
        if (number := self.imageCol) is not None:
            document["imageCol"] = number
        if (size := self.stageX) is not None:
            document["stageX"] = size
        if (size := self.stageY) is not None:
            document["stageY"] = size
        if (size := self.rotation) is not None:
            document["rotation"] = size
        if (size := self.pixelsize) is not None:
            document["pixelsize"] = size
        if (size := self.distanceZ) is not None:
            document["distanceZ"] = size
        if self._extra:
            document.update(self._extra)
        return document

    def from_dict(self, d: dict[str, Any] | None) -> None:
        """Take everything from a LayoutData document; what it lacks becomes None.

        Parameters
        ----------
        d : dict or None
            The document.
        """
        d = d or {}
        for name, key in _KEYS.items():
            setattr(self, name, d.get(key))
        extra = {key: value for key, value in d.items() if key not in _KNOWN_KEYS}
        self._extra = extra or None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layout):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.sectionId, self.imageRow, self.imageCol))

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={value!r}" for name in _KEYS if (value := self.__dict__.get(name)) is not None
        )
        return f"Layout({values})"
