"""What can go wrong when render parameters become pixels."""

from __future__ import annotations

from typing import Any

from renderapi.errors import RenderError, SpecError


class RenderParametersError(SpecError):
    """Render parameters that cannot be rendered; the message is that of render-ws where it has one."""


class ChannelsError(RenderParametersError):
    """Channels that cannot be averaged; a render-ws ends with an internal error there."""


class ImageSourceError(RenderError, ValueError):
    """An image or mask that cannot be used: it is missing, unreadable, damaged, too large or not allowed.

    Attributes
    ----------
    image_url : str or None
        URL of the image, as the tile spec has it.
    """

    def __init__(self, *args: Any, image_url: str | None = None, **details: Any) -> None:
        super().__init__(*args, **details)
        self.image_url = image_url
