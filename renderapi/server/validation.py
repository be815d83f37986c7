"""ValidationService: whether documents can be read, and what they name exists."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from renderapi.server.boxes import derive_boxes
from renderapi.server.documents import Document
from renderapi.server.endpoint import Context, Service
from renderapi.server.refusals import Refusal

service = Service("ValidationService", "Checking documents")


def check_tile(server: Context, tile: Document) -> None:
    """Refuse (400) a resolved tile whose images cannot be read or whose transforms cannot be made."""
    check_images(server, tile)
    check_transforms(tile["transforms"]["specList"])


def check_transforms(specs: list[Document]) -> None:
    """Refuse (400) transforms that cannot be made."""
    probe = {"tileId": "", "width": 2.0, "height": 2.0, "transforms": {"type": "list", "specList": specs}}
    derive_boxes([probe], {})


def check_images(server: Context, tile: Document) -> None:
    """Refuse (400) a tile without images, or with local ones that are not there, not readable or empty."""
    channels = tile.get("channels") or [tile]
    for channel in channels:
        if not channel["mipmapLevels"]:
            raise Refusal(400, f"tile '{tile.get('tileId')}' does not contain any mipmapLevel elements")
        for image in channel["mipmapLevels"].values():
            for part in ("image", "mask"):
                url = image.get(f"{part}Url")
                if url is not None:
                    _check_file(server, f"{part}Url", url)


def _check_file(server: Context, name: str, url: str) -> None:
    if ":" not in url:
        path = Path(url)
    else:
        parts = urlsplit(url)
        if parts.scheme != "file":
            return
        path = Path(unquote(parts.path))
    # what lies outside of the image folders is not even looked at, so that nothing is told about it
    try:
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root) for root in server.image_roots):
            raise Refusal(400, f"{name} file '{path}' is in none of the image folders of this server")
        if not resolved.is_file():
            raise Refusal(400, f"cannot find {name} file '{path}'")
        if resolved.stat().st_size == 0:
            raise Refusal(400, f"{name} file '{path}' is empty")
        with resolved.open("rb"):
            pass
    except PermissionError:
        raise Refusal(400, f"no read access for {name} file '{path}'") from None
    except (OSError, ValueError) as problem:
        raise Refusal(400, f"cannot find {name} file '{path}': {problem}") from None
