"""Verbs that look and change nothing: ls, info, boxes, doctor, version."""

from __future__ import annotations

import argparse
import platform
import textwrap
from collections import Counter
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from renderapi._names import BOX
from renderapi.cli import addresses
from renderapi.cli.addresses import connect
from renderapi.cli.options import Commands, Exit, UsageError, add_connection, add_json, number_text, verb
from renderapi.cli.screen import pairs, show, table

if TYPE_CHECKING:
    from renderapi.doctor import Finding
    from renderapi.render import Render


def add(commands: Commands) -> None:
    """Add the verbs."""
    ls = verb(
        commands,
        "ls",
        _ls,
        help="list owners, projects, stacks or match collections",
        description="List the stacks of a project; the projects of an owner, where there is no project; the owners, "
        "where there is no owner either, or for /. With --matches the match collections of an owner.",
        library="renderapi.render.get_owners renderapi.render.get_stack_metadata_by_owner "
        "renderapi.render.get_stack_metadata_by_project renderapi.pointmatch.get_matchcollection_owners "
        "renderapi.pointmatch.get_matchcollections",
    )
    ls.add_argument(
        "place",
        nargs="?",
        metavar="OWNER[/PROJECT]",
        help="default: --owner and --project, or the environment's",
    )
    ls.add_argument("--matches", action="store_true", help="match collections instead of stacks")
    add_json(ls)
    add_connection(ls)

    info = verb(
        commands,
        "info",
        _info,
        help="describe a stack or match collection",
        description="Say what the server knows of a stack: state, tiles, layers, box, version.",
        library="renderapi.stack.get_full_stack_metadata renderapi.pointmatch.get_matchcollections "
        "renderapi.pointmatch.get_match_groupIds",
    )
    info.add_argument("stack", metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL")
    addresses.add_matches(info)
    add_json(info)
    add_connection(info)

    boxes = verb(
        commands,
        "boxes",
        _boxes,
        help="show the bounding box of a stack, its layers or tiles",
        description="Show the box around all tiles of a stack, which must have been COMPLETE; of single layers (--z), "
        "or of the tiles in them (--tiles).",
        library="renderapi.stack.get_stack_bounds renderapi.stack.get_bounds_from_z "
        "renderapi.stack.get_tilebounds_for_z",
    )
    boxes.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    boxes.add_argument(
        "--z", type=float, action="append", metavar="Z", help="a layer; may be given several times"
    )
    boxes.add_argument("--tiles", action="store_true", help="the box of every tile of the layers")
    add_json(boxes)
    add_connection(boxes)

    doctor = verb(
        commands,
        "doctor",
        _doctor,
        help="find out why something does not work",
        description="Look at everything between this machine and the tiles, step by step: name, port, proxy, "
        "certificate, server, credentials, data base, the state of a stack, client scripts and Java. Say what works, "
        "what does not, and what to do. Ends with 3 if something is wrong. Nothing is changed.",
        library="renderapi.doctor.examine",
    )
    doctor.add_argument(
        "stack", nargs="?", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    add_json(doctor)
    add_connection(doctor, scripts=True)

    version = verb(
        commands,
        "version",
        _version,
        help="say which version this is, and which a server is",
        description="Say which version of render-python this is and, where a server is named, what that is.",
        library="renderapi.__version__ renderapi.service.get_version_info renderapi.render.get_branch",
    )
    add_json(version)
    add_connection(version, owner=False)


# ------------------------------------------------------------------------------------------------ ls


def _ls(options: argparse.Namespace) -> int:
    render = connect(options)
    if options.place is not None:
        # the project of the environment is one of another owner, perhaps
        owner, project = _place(options)
        render = render.options(owner=owner, project=project)
    if not render.DEFAULT_OWNER:
        return _ls_owners(options, render)
    if options.matches:
        return _ls_collections(options, render)
    return _ls_stacks(options, render) if render.DEFAULT_PROJECT else _ls_projects(options, render)


def _place(options: argparse.Namespace) -> tuple[str, str]:
    if options.place == "/":
        return "", ""
    names = options.place.strip("/").split("/")
    if len(names) > (1 if options.matches else 2) or not all(names):
        raise UsageError(
            f"{options.place!r} is not {'OWNER' if options.matches else 'OWNER[/PROJECT]'}, nor /"
        )
    return names[0], names[1] if len(names) > 1 else ""


def _ls_owners(options: argparse.Namespace, render: Render) -> int:
    from renderapi.pointmatch import get_matchcollection_owners
    from renderapi.render import get_owners

    owners = get_matchcollection_owners(render=render) if options.matches else get_owners(render=render)
    show(options, owners, "\n".join(owners) or "there are no owners yet")
    return Exit.OK


def _ls_projects(options: argparse.Namespace, render: Render) -> int:
    from renderapi.render import get_stack_metadata_by_owner

    owner = render.DEFAULT_OWNER
    stacks = Counter(
        metadata["stackId"]["project"] for metadata in get_stack_metadata_by_owner(render=render)
    )
    document = [{"owner": owner, "project": project, "stacks": n} for project, n in stacks.items()]
    nothing = f"owner {owner!r} has no stacks (renderapi ls / lists the owners)"
    show(options, document, table(("project", "stacks"), list(stacks.items())) or nothing)
    return Exit.OK


def _ls_stacks(options: argparse.Namespace, render: Render) -> int:
    from renderapi.render import get_stack_metadata_by_project

    stacks = get_stack_metadata_by_project(render=render)
    rows = []
    for metadata in stacks:
        stats = metadata.get("stats") or {}
        rows.append((
            metadata["stackId"]["stack"], metadata.get("state"), stats.get("tileCount"), stats.get("sectionCount"),
            _minute(metadata.get("lastModifiedTimestamp")),
        ))  # fmt: skip
    owner = render.DEFAULT_OWNER
    nothing = f"project {owner}/{render.DEFAULT_PROJECT} has no stacks (renderapi ls {owner} lists projects)"
    show(options, stacks, table(("stack", "state", "tiles", "layers", "changed"), rows) or nothing)
    return Exit.OK


def _ls_collections(options: argparse.Namespace, render: Render) -> int:
    from renderapi.pointmatch import get_matchcollections

    collections = get_matchcollections(render=render)
    rows = [(found["collectionId"]["name"], found.get("pairCount")) for found in collections]
    nothing = (
        f"owner {render.DEFAULT_OWNER!r} has no match collections (renderapi ls --matches / lists owners)"
    )
    show(options, collections, table(("match collection", "pairs"), rows) or nothing)
    return Exit.OK


def _minute(timestamp: Any) -> str | None:
    return str(timestamp)[:16].replace("T", " ") if timestamp else None


# ---------------------------------------------------------------------------------------------- info


def _info(options: argparse.Namespace) -> int:
    address = addresses.either(options, options.stack)
    render = connect(options, address)
    if address.matches:
        return _info_collection(options, render, address)
    from renderapi.stack import get_full_stack_metadata

    metadata = get_full_stack_metadata(address.name, render=render)
    show(options, metadata, _described(addresses.shown(render, address), metadata))
    return Exit.OK


def _described(name: str, metadata: dict[str, Any]) -> str:
    stats = metadata.get("stats") or {}
    version = metadata.get("currentVersion") or {}
    box = stats.get("stackBounds")
    values: list[tuple[str, Any]] = [("stack", name), ("state", metadata.get("state"))]
    if stats:
        values += [("tiles", stats.get("tileCount")), ("layers", stats.get("sectionCount"))]
        values += [("shared transforms", stats.get("transformCount") or None)]
        values += [("channels", ", ".join(stats.get("channelNames") or ()))]
        values += [("tile size", _sizes(stats))]
    else:
        values.append(("tiles", "not counted before the stack is COMPLETE"))
    if box:
        values += [(axis, _span(box, axis.upper())) for axis in "xyz"]
    resolution = [version.get(f"stackResolution{axis}") for axis in "XYZ"]
    if None not in resolution:
        values.append(("voxel", " x ".join(map(number_text, resolution))))
    cycle = (version.get("cycleNumber"), version.get("cycleStepNumber"))
    values += [
        ("cycle", f"{cycle[0]}, step {cycle[1]}" if cycle != (None, None) else None),
        ("version", metadata.get("currentVersionNumber")),
        ("made", _minute(version.get("createTimestamp"))),
        ("changed", _minute(metadata.get("lastModifiedTimestamp"))),
        ("notes", version.get("versionNotes")),
    ]
    return pairs(values)


def _sizes(stats: dict[str, Any]) -> str | None:
    spans = []
    for side in ("Width", "Height"):
        low, high = stats.get(f"minTile{side}"), stats.get(f"maxTile{side}")
        if low is None or high is None:
            return None
        spans.append(number_text(low) if low == high else f"{number_text(low)} to {number_text(high)}")
    return " x ".join(spans)


def _span(box: dict[str, Any], axis: str) -> str:
    return f"{number_text(box[f'min{axis}'])} to {number_text(box[f'max{axis}'])}"


def _info_collection(options: argparse.Namespace, render: Render, address: addresses.Address) -> int:
    from renderapi.errors import NotFoundError
    from renderapi.pointmatch import get_match_groupIds, get_matchcollections

    for found in get_matchcollections(render=render):
        if found["collectionId"]["name"] == address.name:
            break
    else:
        raise NotFoundError(f"there is no match collection {addresses.shown(render, address)}")
    groups = get_match_groupIds(address.name, render=render)
    values = [
        ("match collection", addresses.shown(render, address)),
        ("pairs", found.get("pairCount")),
        ("groups", len(groups)),
    ]
    show(options, {**found, "groupCount": len(groups)}, pairs(values))
    return Exit.OK


# --------------------------------------------------------------------------------------------- boxes


def _boxes(options: argparse.Namespace) -> int:
    from renderapi.stack import get_bounds_from_z, get_stack_bounds, get_tilebounds_for_z

    render = connect(options, options.stack)
    name = options.stack.name
    if options.tiles and not options.z:
        raise UsageError("--tiles needs the layers: --z Z")
    if options.tiles:
        tiles = [tile for z in options.z for tile in get_tilebounds_for_z(name, z, render=render)]
        rows = [(t["tileId"], t.get("z"), *(t.get(side) for side in BOX)) for t in tiles]
        show(options, tiles, table(("tile", "z", *BOX), rows) or "no tiles")
    elif options.z:
        layers = [get_bounds_from_z(name, z, render=render) for z in options.z]
        rows = [(z, *(box[side] for side in BOX)) for z, box in zip(options.z, layers)]
        show(options, layers, table(("z", *BOX), rows))
    else:
        box = get_stack_bounds(name, render=render)
        show(options, box, pairs([(axis, _span(box, axis.upper())) for axis in "xyz"]))
    return Exit.OK


# -------------------------------------------------------------------------------------------- doctor

_WIDTH = 100


def _doctor(options: argparse.Namespace) -> int:
    from renderapi.doctor import examine

    render = connect(options, options.stack)
    findings = examine(
        None if options.stack is None else options.stack.name,
        client_scripts=options.client_scripts,
        render=render,
        report=None if options.json else lambda finding: print(_finding_text(finding), flush=True),
    )
    if options.json:
        show(options, [asdict(finding) for finding in findings], "")
    return Exit.DIFFERS if any(finding.state == "wrong" for finding in findings) else Exit.OK


def _finding_text(finding: Finding) -> str:
    head = f"{finding.state:7}  {finding.subject:11}  "
    indent = " " * len(head)
    wrap = partial(textwrap.wrap, width=_WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = wrap(finding.text, initial_indent=head, subsequent_indent=indent)
    lines += wrap(finding.advice, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   ")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------- version


def _version(options: argparse.Namespace) -> int:
    import renderapi
    from renderapi.render import environment_setting, get_branch
    from renderapi.service import get_version_info

    document: dict[str, Any] = {"version": renderapi.__version__, "python": platform.python_version()}
    if options.url or options.host or environment_setting("host"):
        render = connect(options)
        info = get_version_info(render=render) or {}
        document["server"] = {"branch": get_branch(render=render), **info}
    server = document.get("server") or {}
    values = [
        ("render-python", document["version"]),
        ("Python", document["python"]),
        ("server", server.get("branch") and f"render-ws, branch {server['branch']}"),
        *((name, value) for name, value in server.items() if name != "branch"),
    ]
    show(options, document, pairs(values))
    return Exit.OK
