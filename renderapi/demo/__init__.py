"""The user guide from end to end, on a server of its own: what ``renderapi demo`` runs."""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import renderapi
from renderapi._parallel import progress_reporter
from renderapi.http.urls import dashboard_url
from renderapi.layout import Layout
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

ROWS, COLUMNS = 10, 20
STEP = 0.8  # a tile begins 0.8 of its width after its neighbour: 20 % overlap
PIXEL_NM = 3.0
SIZE = 2048
OWNER, PROJECT, STACK, COLLECTION = "myowner", "myproject", "mystack", "mycollection"
MONTAGE, MONTAGE_MATCHES, MONTAGE_SECTIONS = "montage", "montage_matches", 3
SECTIONS_AT_ONCE = 10
PICTURE = "renderapi-demo.png"
#: decibels: noise of the camera, and interpolation
LEAST_PSNR = 33.0
MATCHES = {
    "pGroupId": "0",
    "qGroupId": "1",
    "pId": "0_0_0",
    "qId": "1_0_0",
    "matches": {
        "p": [[0, 1000, 1000, 0], [0, 1000, 0, 1000]],
        "q": [[0, 1000, 1000, 0], [0, 1000, 0, 1000]],
        "w": [1, 1, 1, 1],
    },
}


def section(number: int) -> list[TileSpec]:
    """Make the 200 tile specs of one section of the guide.

    Parameters
    ----------
    number : int
        Number of the section, which is also its z.

    Returns
    -------
    list of TileSpec
    """
    tilespecs = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            x, y = column * SIZE * STEP, row * SIZE * STEP
            tile_id = f"{number}_{row}_{column}"
            layout = Layout(
                sectionId=f"{number:05d}",
                scopeId="myscope",
                cameraId="mycamera",
                imageRow=row,
                imageCol=column,
                stageX=x * PIXEL_NM,
                stageY=y * PIXEL_NM,
                rotation=0.0,
                pixelsize=PIXEL_NM,
            )
            tilespecs.append(
                TileSpec(
                    tileId=tile_id,
                    z=float(number),
                    width=SIZE,
                    height=SIZE,
                    imageUrl=f"/data/images/{tile_id}.tif",
                    layout=layout,
                    tforms=[AffineModel(B0=x, B1=y)],
                )
            )
    return tilespecs


def run(sections: int = 500, keep: str | None = None, stay: bool = False, port: int = 0) -> int:
    """Run the demonstration, saying in plain words what it does.

    Parameters
    ----------
    sections : int
        Sections of 200 tiles to import.
    keep : str, optional
        Folder for the server's data and the picture that comes out. Default: a temporary one, which is removed, and
        the current folder for the picture, ``renderapi-demo.png``.
    stay : bool
        Leave the server running in the end, until Ctrl-C.
    port : int
        Port of the server; 0 for any that is free.

    Returns
    -------
    int
        0 if everything was as it should be, else 1.
    """
    from renderapi.server.http.process import ServerProcess

    with ExitStack() as cleanup:
        cleanup.enter_context(_terminated_like_interrupted())
        kept, folder = keep is not None, Path(keep or ".")
        if keep is None:
            keep_text = "a temporary folder, removed in the end"
            keep = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="renderapi-demo-"))
        else:
            keep_text = keep
        pictures = Path(keep).resolve() / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        service = cleanup.enter_context(ServerProcess(keep, port, image_roots=[pictures]))
        print(f"1. A render server runs at {service.url} (no Java, no MongoDB; data in {keep_text}).")
        render = cleanup.enter_context(service.connect(owner=OWNER, project=PROJECT, web_only=True))
        correct = _follow_the_guide(render, sections)
        correct &= _render_a_montage(render, pictures, folder)
        if stay:
            server = service.url.removesuffix("/render-ws")
            dashboard = dashboard_url(server, None, "viewer", OWNER, PROJECT, MONTAGE)
            _wait_for_interrupt(
                f"\nThe server keeps running. Press Ctrl-C to stop it.\nDashboard: {dashboard}\n"
                f"In another terminal:\n{_next_steps(server)}"
            )
        elif kept:
            print(
                f"\nTo look around in what was kept:\n  renderapi serve --data {shlex.quote(keep)} --image-root "
                f"{shlex.quote(str(pictures))}\nand in another terminal:\n{_next_steps('http://localhost:8080')}"
            )
        else:
            print("\nTo look around in it: renderapi demo --serve")
    return 0 if correct else 1


def _next_steps(server: str) -> str:
    stack = f"{OWNER}/{PROJECT}/{MONTAGE}"
    commands = (
        f"info {OWNER}/{PROJECT}/{STACK}",
        f"view {stack} --matches {MONTAGE_MATCHES}",
        f"render {stack} 0 -o section.png",
    )
    return "\n".join(f"  renderapi {command} --url {server}" for command in commands)


def _follow_the_guide(render: renderapi.Render, sections: int) -> bool:
    timings: list[tuple[str, float, int, str]] = []

    @contextmanager
    def timed(what: str, count: int, unit: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        timings.append((what, time.perf_counter() - start, count, unit))

    _start_over(render)
    renderapi.stack.create_stack(
        STACK, stackResolutionX=PIXEL_NM, stackResolutionY=PIXEL_NM, stackResolutionZ=35.0, render=render
    )
    print(f"2. Made the stack {STACK!r} of owner {OWNER!r}, project {PROJECT!r}. It is LOADING.")

    first = TileSpec(
        tileId="000000000000",
        z=0.0,
        width=SIZE,
        height=SIZE,
        imageUrl="/data/images/0_0_0.tif",
        layout=Layout(sectionId="00000", stageX=100.0, stageY=300.0, pixelsize=PIXEL_NM),
        tforms=[AffineModel(B0=100.0 / PIXEL_NM, B1=300.0 / PIXEL_NM)],
    )
    renderapi.client.import_tilespecs(STACK, [first], render=render, engine="python")
    renderapi.stack.set_stack_state(STACK, "COMPLETE", render=render)
    print("3. Imported one tile spec and closed the stack. It is COMPLETE.")

    count = sections * ROWS * COLUMNS
    print(
        f"4. Making {plural(count, 'tile spec')}: {plural(sections, 'section')} of {ROWS} x {COLUMNS} tiles, and",
        flush=True,
    )
    print("5. importing them, several batches at a time ...", flush=True)
    making = importing = 0.0
    with _progress(count) as advance:
        # in parts that take the same time, so that the bar begins at once and goes on evenly
        for first_of_part in range(0, sections, SECTIONS_AT_ONCE):
            part = range(first_of_part, min(first_of_part + SECTIONS_AT_ONCE, sections))
            start = time.perf_counter()
            tilespecs = [tile for number in part for tile in section(number)]
            making += time.perf_counter() - start
            before = first_of_part * ROWS * COLUMNS
            renderapi.client.import_tilespecs_parallel(
                STACK,
                tilespecs,
                close_stack=False,
                render=render,
                engine="python",
                progress=lambda done, total, before=before: advance(before + done),
            )
            importing += time.perf_counter() - start
    timings.append(("tile specs made", making, count, "tile specs"))
    timings.append(("tile specs imported", importing - making, count, "tile specs"))
    with timed("stack closed", count, "tile specs"):
        renderapi.stack.set_stack_state(STACK, "COMPLETE", render=render)

    with timed("metadata read", 3, "requests"):
        stats = renderapi.stack.get_full_stack_metadata(STACK, render=render)["stats"]
        bounds = renderapi.stack.get_stack_bounds(STACK, render=render)
        zs = renderapi.stack.get_z_values_for_stack(STACK, render=render)
    print(
        f"6. The server says: {plural(stats['tileCount'], 'tile')} in {plural(stats['sectionCount'], 'layer')}, "
        f"z {zs[0]:g} to {zs[-1]:g}, x {bounds['minX']:g} to {bounds['maxX']:g}, "
        f"y {bounds['minY']:g} to {bounds['maxY']:g}."
    )
    last = sections - 1
    with timed("one layer read", ROWS * COLUMNS, "tile specs"):
        found = renderapi.tilespec.get_tile_specs_from_z(STACK, float(last), render=render)
    checks = {
        "every tile is there": stats["tileCount"] == count + 1,
        "a layer reads back as it was sent": _same_tiles(
            [tile for tile in found if tile.tileId != first.tileId], tilespecs[-ROWS * COLUMNS :]
        ),
    }

    renderapi.pointmatch.import_matches(COLLECTION, [MATCHES], render=render)
    fetched = renderapi.pointmatch.get_matches_from_tile_to_tile(
        COLLECTION, "0", "0_0_0", "1", "1_0_0", render=render
    )
    checks["point matches read back as they were sent"] = [match["matches"] for match in fetched] == [
        MATCHES["matches"]
    ]
    print("7. Stored the point matches of tile 0_0_0 and tile 1_0_0, and fetched them again.\n")
    for what, seconds, number, unit in timings:
        print(f"  {what:<22}{seconds:9.3f} s{number / max(seconds, 1e-9):14,.0f} {unit}/s")
    return _told(checks)


def plural(count: int, noun: str) -> str:
    """Write a number with what it counts.

    Examples
    --------
    >>> plural(1, "layer"), plural(2000, "tile")
    ('1 layer', '2,000 tiles')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _render_a_montage(render: renderapi.Render, pictures: Path, folder: Path) -> bool:
    import numpy as np

    from renderapi.demo import montage

    print(
        f"8. Photographing {plural(MONTAGE_SECTIONS, 'section')} of a made-up specimen, as overlapping tiles ...",
        flush=True,
    )
    tilespecs = [tile for z in range(MONTAGE_SECTIONS) for tile in montage.photograph(pictures, z)]
    renderapi.stack.create_stack(
        MONTAGE, stackResolutionX=4.0, stackResolutionY=4.0, stackResolutionZ=40.0, render=render
    )
    renderapi.client.import_tilespecs(
        MONTAGE, tilespecs, sharedTransforms=[montage.lens()], render=render, engine="python"
    )
    renderapi.stack.set_stack_state(MONTAGE, "COMPLETE", render=render)
    matches = list(montage.point_matches(tilespecs))
    renderapi.pointmatch.import_matches(MONTAGE_MATCHES, matches, render=render)
    box = 0, 0, montage.WIDTH, montage.HEIGHT
    renderapi.image.get_bb_image(MONTAGE, 0.0, *box, scale=0.1, render=render)  # the first one compiles
    start = time.perf_counter()
    image = renderapi.image.get_bb_image(MONTAGE, 0.0, *box, render=render)
    seconds = time.perf_counter() - start
    opaque = image[..., 3] == 255
    error = image[..., 0][opaque] - montage.tissue(0.0)[opaque]
    psnr = 10 * np.log10(255**2 / max(float(np.mean(error**2)), 1e-9))
    print(
        f"9. The server rendered a section of {len(tilespecs) // MONTAGE_SECTIONS} tiles, "
        f"{montage.WIDTH} x {montage.HEIGHT} pixels, in {seconds:.2f} s; it is the specimen within {psnr:.1f} dB "
        f"(PSNR). {len(matches)} point matches are stored beside it."
    )
    _save(image, folder / PICTURE)
    return _told({"the rendered section shows the specimen": psnr >= LEAST_PSNR and opaque.mean() > 0.85})


def _save(image: Any, path: Path) -> None:
    """Save what was made, say where, and show it where it can be seen."""
    from PIL import Image

    try:
        Image.fromarray(image).save(path)
    except OSError as error:
        print(f"   The picture of it cannot be saved: {error}")
        return
    print(f"   Its picture: {path.resolve()}")
    if "ipykernel" in sys.modules:
        from IPython.display import Image as Shown
        from IPython.display import display

        display(Shown(filename=str(path)))


def _told(checks: dict[str, bool]) -> bool:
    for what, holds in checks.items():
        print(f"  {'yes' if holds else 'NO ':<4}{what}")
    return all(checks.values())


def _start_over(render: renderapi.Render) -> None:
    """Remove what an earlier demonstration left in a folder that was kept."""
    left = {STACK, MONTAGE}.intersection(renderapi.render.get_stacks_by_owner_project(render=render))
    for stack in left:
        renderapi.stack.delete_stack(stack, render=render)
    for known in renderapi.pointmatch.get_matchcollections(render=render):
        name = known["collectionId"]["name"]
        if name in (COLLECTION, MONTAGE_MATCHES):
            renderapi.pointmatch.delete_collection(name, render=render)


def _same_tiles(found: list[TileSpec], sent: list[TileSpec]) -> bool:
    def essentials(tile: TileSpec) -> tuple[Any, ...]:
        return tile.z, tile.layout.to_dict(), tile.ip.to_dict(), [tform.to_dict() for tform in tile.tforms]

    expected = {tile.tileId: essentials(tile) for tile in sent}
    return {tile.tileId: essentials(tile) for tile in found} == expected


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar if tqdm is installed, else a line now and then."""
    try:
        import tqdm  # noqa: F401
    except ImportError:
        shown = -1

        def tell(done: int) -> None:
            nonlocal shown
            if (percent := 100 * done // total) >= shown + 10:
                shown = percent
                print(f"   {percent:3d} %", file=sys.stderr, flush=True)

        yield tell
        return
    with progress_reporter("   importing", total, "importing") as advance:
        before = 0

        def update(done: int) -> None:
            nonlocal before
            advance(done - before)
            before = done

        yield update


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Clean up after ``kill`` as after Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # a shell lets its background jobs ignore Ctrl-C, but whoever sends the signal to this process means it
    numbers = [signal.SIGTERM] + [signal.SIGINT] * (signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
    try:
        before = {number: signal.signal(number, interrupt) for number in numbers}
    except ValueError:  # not in the main thread: whoever runs this handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_interrupt(text: str) -> None:
    try:
        print(text, flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("\nstopped")
