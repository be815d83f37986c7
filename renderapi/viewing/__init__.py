"""Stacks in Neuroglancer: pages of this machine that show images, outlines of tiles and point matches.

`renderapi.view` is the function of this room.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from renderapi._extras import install_line
from renderapi._project import Project
from renderapi.errors import RenderWarning
from renderapi.pointmatch import get_match_groupIds
from renderapi.render import renderaccess
from renderapi.viewing._volumes import Volume, dimensions_of

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render
    from renderapi.viewing._page import Answering, Page

__all__ = ["View", "view"]

LAYOUTS = ("side by side", "blended")
_OUTLINE, _MATCH = "#ffd800", "#00c8ff"
_BLENDED = ("vec3(1, 0, 1)", "vec3(0, 1, 0)")
# how large a section is on the screen at first, in pixels
_WIDTH, _HEIGHT = 1100, 550
_SHADER = "#uicontrol invlerp normalized\nvoid main() {{ {colour}; }}\n"
_LINES = (
    "void main() {{\n  setColor(defaultColor());\n  setLineWidth(1.5);\n  setEndpointMarkerSize({ends});\n"
    "  setEndpointMarkerBorderWidth(0.0);\n}}\n"
)


class View:
    """A page that shows stacks, made by `view`; use it in a ``with`` statement, or call `close`.

    In a notebook it is shown where it is the last line of a cell.

    Attributes
    ----------
    url : str
        Address of the page, on this machine. Whoever has it can look.
    stacks : list of str
        The stacks.
    viewer
        State of the page, for programs: ``with view.viewer.txn() as state: state.position = [x, y, z]``, as with
        ``neuroglancer.Viewer``.
    """

    def __init__(self, page: Page, stacks: list[str]) -> None:
        self._page = page
        self.url, self.viewer, self.stacks = page.url, page.viewer, stacks

    def close(self) -> None:
        """Let the page go, with its socket and its threads; safe to call again."""
        self._page.close()

    def __enter__(self) -> View:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self.url if self._page.is_open else "closed"
        return f"<View of {', '.join(self.stacks)}: {state}>"

    def _repr_html_(self) -> str:
        if not self._page.is_open:
            return f"<p>{escape(repr(self))}</p>"
        return (
            f'<iframe src="{self.url}" title="{escape(repr(self))}" '
            'style="width: 100%; height: 600px; border: 0" allowfullscreen></iframe>'
            f'<p><a href="{self.url}" target="_blank">{escape(", ".join(self.stacks))} in a page of its own</a></p>'
        )


@renderaccess
def view(
    stack: str,
    beside: str | None = None,
    *,
    layout: str = "side by side",
    matches: str | None = None,
    match_owner: str | None = None,
    outlines: bool = True,
    position: Sequence[float] | None = None,
    page_port: int = 0,
    beside_render: Render | None = None,
    channel: str | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
) -> View:
    """Show a stack, or two, in Neuroglancer (extra ``view``): images, outlines of tiles, point matches.

    The page begins in the middle of the stack. Its images are drawn by the render server when they are looked at,
    through this program, so it works with every server that this program reaches. It is served at 127.0.0.1 from
    the files of the package neuroglancer, and asks no other machine for anything.

    Parameters
    ----------
    stack : str
        Name of the stack, which must have been COMPLETE.
    beside : str, optional
        Another stack to compare with, such as the one after alignment.
    layout : {"side by side", "blended"}
        How two stacks are shown: in two panels that move together, or over each other, the first magenta and the
        second green, so that what agrees is gray.
    matches : str, optional
        Match collection whose matches are drawn as lines, from where the transforms of one tile put a point to
        where those of the other do: the shorter they are, the better the tiles fit. The groups of the collection
        are the section ids of the stack.
    match_owner : str, optional
        Owner of the collection; default that of the stack.
    outlines : bool
        Draw the outlines of tiles.
    position : sequence of 3 floats, optional
        Where to begin, x, y in world coordinates and z of a section; default the middle.
    page_port : int
        Port of the page, for instance to reach it through an SSH tunnel; 0, the default, takes a free one.
    beside_render : Render, optional
        Connection of `beside`, where that is another server, owner or project.
    channel, minIntensity, maxIntensity
        As for `renderapi.image.get_bb_image`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    View
        The page, with its address ``url``; it is there until it is closed, or the program ends.

    Raises
    ------
    ImportError
        If the package neuroglancer is not there.
    NotFoundError
        If there is no such stack or match collection, or the stack has no sections.
    StackStateError
        If the stack never was COMPLETE.
    OSError
        If the port is taken.

    Notes
    -----
    Positions are in pixels at scale 1, and in nm where all stacks have a resolution. The section with z 3.7 lies in
    the plane 3; where several sections share a plane the first is shown, which a warning says. Where more than 256
    tiles are in an image of 512 pixels, their boxes are drawn instead. Of a section at most 20 000 tiles have
    outlines, and at most about 100 000 matches lines; matches are left out evenly.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> from renderapi.tilespec import TileSpec
    >>> tile = TileSpec(tileId="a", z=1.0, width=100, height=80, sectionId="1.0")
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     made = renderapi.stack.ensure_stack("v1", render=render)
    ...     renderapi.client.import_tilespecs("v1", [tile], render=render)
    ...     closed = renderapi.stack.set_stack_state("v1", "COMPLETE", render=render)
    ...     with renderapi.view("v1", render=render) as page:
    ...         address, stacks = page.url, page.stacks
    >>> address.startswith("http://127.0.0.1:"), stacks
    (True, ['v1'])
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}, not {' or '.join(map(repr, LAYOUTS))}")
    try:
        from renderapi.viewing._page import Page
    except ImportError as error:
        raise ImportError(
            f"view needs neuroglancer ({error}): {install_line('view')} "
            "Without it, the dashboard of a render server shows stacks too: renderapi view STACK --viewer dashboard"
        ) from error
    at = Project(host, port, owner, project, session, render)
    drawn = {"channel": channel, "minIntensity": minIntensity, "maxIntensity": maxIntensity}
    volumes = [Volume(stack, at, drawn)]
    if beside is not None:
        volumes.append(Volume(beside, at.other(beside_render), drawn))
    for volume in volumes:
        if volume.hidden:
            shown = ", ".join(f"{z:g}" for z in volume.hidden[:5]) + (
                " ..." if len(volume.hidden) > 5 else ""
            )
            warnings.warn(
                f"{len(volume.hidden)} sections of {volume.stack} are not shown, as another one with the same whole "
                f"number lies in their plane: z {shown}",
                RenderWarning,
                stacklevel=3,
            )
    if matches is not None:
        # a collection that is not there is an error now, and not a page without lines
        get_match_groupIds(matches, **{**at.keywords(), "owner": match_owner or at.owner})
    # of stacks with and without resolution only pixels can be compared
    in_nm = all(volume.resolution for volume in volumes)
    parts: dict[str, Answering] = {}
    page = Page(parts, page_port)
    try:
        layers = _Layers(page, parts, in_nm)
        for volume in volumes:
            layers.add(volume, outlines, matches, match_owner)
        page.viewer.set_state(layers.state(layout, position))
    except BaseException:
        page.close()
        raise
    return View(page, [volume.stack for volume in volumes])


class _Layers:
    """The layers of a page: what they show, and what answers for them."""

    def __init__(self, page: Page, parts: dict[str, Answering], in_nm: bool) -> None:
        self._page, self._parts, self._in_nm = page, parts, in_nm
        self._volumes: list[Volume] = []
        self._groups: list[list[dict[str, Any]]] = []

    def add(self, volume: Volume, outlines: bool, matches: str | None, match_owner: str | None) -> None:
        """Add the layers of a stack."""
        number = len(self._volumes)
        self._volumes.append(volume)
        # the same stack of two projects
        same = any(volume.stack == other.stack for other in self._volumes[:-1])
        name = f"{volume.stack} ({number + 1})" if same else volume.stack
        image = {
            "type": "image",
            "name": name,
            "source": self._source(f"{number}-images", volume, partial(_image, volume)),
            "shader": _SHADER.format(colour="emitGrayscale(normalized())"),
        }
        layers = [image]
        lines: list[tuple[str, str, str, Callable[[int], bytes]]] = []
        if outlines:
            lines.append(("tiles", "outlines", _OUTLINE, volume.outlines))
        if matches is not None:
            lines.append((matches, "matches", _MATCH, partial(volume.matches, matches, match_owner)))
        for shown, kind, colour, drawing in lines:
            answering = partial(_lines, volume, self._dimensions(volume), drawing)
            layers.append(
                {
                    "type": "annotation",
                    "name": f"{name}: {shown}",
                    "source": self._source(f"{number}-{kind}", volume, answering),
                    "annotationColor": colour,
                    "shader": _LINES.format(ends="3.0" if kind == "matches" else "0.0"),
                }
            )
        self._groups.append(layers)

    def _dimensions(self, volume: Volume) -> dict[str, list[Any]]:
        return dimensions_of(volume) if self._in_nm else {axis: [1, ""] for axis in "xyz"}

    def _source(self, name: str, volume: Volume, answering: Answering) -> dict[str, Any]:
        self._parts[name] = answering
        dimensions = self._dimensions(volume)
        # volumes of this format are always in nm
        return {
            "url": self._page.source(name),
            "transform": {"inputDimensions": dimensions, "outputDimensions": dimensions},
        }

    def state(self, layout: str, position: Sequence[float] | None) -> dict[str, Any]:
        """Return the state of the page."""
        first = self._volumes[0]
        at = list(first.middle)
        if position is not None:
            x, y, z = position
            at = [float(x), float(y), math.floor(z) + 0.5]
        panels = 1 if layout == "blended" else len(self._volumes)
        width, height = (first.high[axis] - first.low[axis] for axis in (0, 1))
        state = {
            "title": ", ".join(volume.stack for volume in self._volumes),
            "dimensions": self._dimensions(first),
            "position": at,
            "crossSectionScale": max(width * panels / _WIDTH, height / _HEIGHT),
            "layers": [layer for group in self._groups for layer in group],
            "layout": "xy",
            "showAxisLines": False,
        }
        if len(self._groups) > 1:
            if layout == "blended":
                for (image, *_), colour in zip(self._groups, _BLENDED):
                    image["shader"] = _SHADER.format(colour=f"emitRGB(normalized() * {colour})")
                    image["blend"] = "additive"
                    image["opacity"] = 1
            else:
                state["layout"] = {
                    "type": "row",
                    "children": [
                        {"type": "viewer", "layout": "xy", "layers": [layer["name"] for layer in group]}
                        for group in self._groups
                    ],
                }
        return state


def _image(volume: Volume, path: str) -> Mapping[str, Any] | bytes | None:
    if path == "info":
        return volume.info()
    level, _, name = path.partition("/")
    return volume.image(int(level), name) if level.isdecimal() and len(level) < 3 else None


def _lines(
    volume: Volume, dimensions: Mapping[str, Any], drawing: Callable[[int], bytes], path: str
) -> Mapping[str, Any] | bytes | None:
    if path == "info":
        return volume.lines_info(dimensions)
    found = re.fullmatch(r"sections/0_0_(\d{1,9})", path)
    return drawing(volume.low[2] + int(found[1])) if found else None
