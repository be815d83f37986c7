"""StackMetaDataService: stacks, their versions and states."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

from renderapi import _json
from renderapi.server.documents.id_patterns import IdPattern
from renderapi.server.documents.keys import StackKey
from renderapi.server.documents.problems import FailedError
from renderapi.server.documents.stacks import COMPLETE, LOADING, OFFLINE, READ_ONLY, stack_version
from renderapi.server.documents.tiles import Document, mipmap_path_builder
from renderapi.server.documents.values import as_double, as_integer, as_list, as_text, fields
from renderapi.server.endpoints import turns
from renderapi.server.endpoints.declaring import (
    ABSENT,
    CREATED,
    JSON,
    OK,
    OWNER,
    PROJECT,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    array_of,
    boolean,
    double,
    doubles,
    json_bytes,
    json_of,
    string,
    text_of,
)
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.store import metadata, tile_rows
from renderapi.server.store.database import Transaction
from renderapi.server.store.metadata import Stack
from renderapi.server.store.resolved import resolved_content
from renderapi.server.store.tile_rows import TileQuery, page_of_ids

# ids that are sent at a time
_PAGE = 20_000

service = Service("StackMetaDataService", "Stack metadata")


@service.get("/likelyUniqueId", gives=TEXT)
def likely_unique_id(server: Context) -> Answer:
    """Return 24 hexadecimal digits that are most likely unique."""
    return text_of(f"{int(time.time()) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}")


@service.get("/owners")
def owners(server: Context) -> Answer:
    """List the owners of stacks."""
    with server.store.read() as connection:
        return json_of(metadata.owners(connection))


@service.get(OWNER + "/projects")
def projects(server: Context, owner: str) -> Answer:
    """List the projects of an owner."""
    with server.store.read() as connection:
        return json_of(metadata.projects(connection, owner))


def _sorted_stacks(connection: Transaction, owner: str, project: str | None) -> list[tuple[Document, bytes]]:
    documents = metadata.documents(connection, owner, project)
    stacks = [(_json.loads(document), document) for document in documents]

    def newest_cycle_first(stack: tuple[Document, bytes]) -> tuple[Any, ...]:
        version = stack[0].get("currentVersion") or {}
        cycle, step = version.get("cycleNumber"), version.get("cycleStepNumber")
        return (cycle is not None, cycle or 0, step is not None, step or 0, stack[0]["lastModifiedTimestamp"])

    stacks.sort(key=newest_cycle_first, reverse=True)
    stacks.sort(key=lambda stack: stack[0]["stackId"]["project"])
    return stacks


@service.get(OWNER + "/stackIds")
def owner_stack_ids(server: Context, owner: str) -> Answer:
    """List the names of an owner's stacks."""
    with server.store.read() as connection:
        return json_of([document["stackId"] for document, _ in _sorted_stacks(connection, owner, None)])


@service.get(PROJECT + "/stackIds")
def project_stack_ids(server: Context, owner: str, project: str) -> Answer:
    """List the names of a project's stacks."""
    with server.store.read() as connection:
        return json_of([document["stackId"] for document, _ in _sorted_stacks(connection, owner, project)])


@service.get(OWNER + "/stacks")
def owner_stacks(server: Context, owner: str) -> Answer:
    """List the metadata of an owner's stacks."""
    with server.store.read() as connection:
        return array_of(content for _, content in _sorted_stacks(connection, owner, None))


@service.get(PROJECT + "/stacks")
def project_stacks(server: Context, owner: str, project: str) -> Answer:
    """List the metadata of a project's stacks."""
    with server.store.read() as connection:
        return array_of(content for _, content in _sorted_stacks(connection, owner, project))


@service.get(STACK)
def stack_metadata(server: Context, stack: StackKey) -> Answer:
    """Return the metadata of a stack."""
    with server.store.read() as connection:
        return json_bytes(metadata.document(connection, stack))


@service.post(STACK)
def save_version(server: Context, stack: StackKey, body: Any) -> Answer:
    """Create a stack, or begin the next version of one."""
    version = stack_version(body)
    with server.store.write() as connection:
        existing = metadata.find(connection, stack)
        number = 0
        if existing is not None:
            existing.must_be_writable()
            number = existing.metadata["currentVersionNumber"] + 1
        metadata.create(connection, stack, number, version)
    return CREATED


@service.delete(STACK)
def delete_stack(server: Context, stack: StackKey) -> Answer:
    """Delete a stack with everything in it; one that does not exist is deleted already."""
    with server.store.write() as connection:
        existing = metadata.find(connection, stack)
        if existing is None:
            return OK
        server.store.drop(connection, "stack", existing.must_be_writable().row)
    server.store.remove_dropped()
    return OK


@service.put(STACK + "/stackId")
def rename(server: Context, stack: StackKey, body: Any) -> Answer:
    """Rename a stack, also into another project or to another owner."""
    named = fields(body, "stackId", {"owner": as_text, "project": as_text, "stack": as_text})
    if named is None:
        raise Refusal(400, "toStackId value must be specified")
    with server.store.write() as connection:
        existing = metadata.get(connection, stack)
        if len(named) < 3:
            raise Refusal(400, "owner, project and stack of the new stack id must be provided")
        target = StackKey(**named).short_enough()
        if existing.state in (READ_ONLY, OFFLINE):
            raise Refusal(400, f"{stack} cannot be modified because it is {existing.state}.")
        if metadata.find(connection, target) is not None:
            raise Refusal(400, f"{target} already exists")
        existing.key = target
        existing.metadata["stackId"] = target.document()
        existing.metadata["lastModifiedTimestamp"] = _json.timestamp()
        existing.save(connection)
    return OK


@service.put(
    STACK + "/cloneTo/{toStack}", query={"z": doubles, "toProject": string, "skipTransforms": boolean}
)
def clone(
    server: Context,
    stack: StackKey,
    toStack: str,
    z: list[float],
    toProject: str | None,
    skipTransforms: bool | None,
    body: Any,
) -> Answer:
    """Copy the tiles and shared transforms of a stack, or of some of its layers, to another stack."""
    version = stack_version(body)
    target = StackKey(stack.owner, toProject or stack.project, toStack).checked()
    with server.store.write() as connection:
        source = metadata.get(connection, stack)
        existing = metadata.find(connection, target)
        if existing is not None and existing.state != LOADING:
            raise Refusal(500, f"Tiles cannot be cloned to stack {toStack} because it is {existing.state}.")
        copy = metadata.create(connection, target, 0, version)
        tile_rows.copy(connection, source, copy, z, not skipTransforms)
    return CREATED


@service.get(STACK + "/resolutionValues")
def resolution_values(server: Context, stack: StackKey) -> Answer:
    """Return the resolution in x, y and z."""
    with server.store.read() as connection:
        found = metadata.get(connection, stack)
    if found.metadata.get("currentVersion") is None:
        return json_of([])
    return json_of([found.version.get(f"stackResolution{axis}") for axis in "XYZ"])


def _change_version(server: Context, key: StackKey, **values: Any) -> Answer:
    with server.store.write() as connection:
        stack: Stack = metadata.get(connection, key).must_be_writable()
        stack.set_version(**values)
        stack.save(connection)
    return OK


@service.put(STACK + "/resolutionValues")
def save_resolution_values(server: Context, stack: StackKey, body: Any) -> Answer:
    """Set the resolution in x, y and z; fewer values leave the rest as it is."""
    values = as_list(body, "resolutionValues", as_double)
    if values is None:
        with server.store.read() as connection:
            metadata.get(connection, stack).must_be_writable()
        raise Refusal(500, "the list of resolution values must not be null")
    return _change_version(
        server, stack, **{f"stackResolution{axis}": value for axis, value in zip("XYZ", values)}
    )


@service.delete(STACK + "/resolutionValues")
def delete_resolution_values(server: Context, stack: StackKey) -> Answer:
    """Remove the resolution."""
    return _change_version(server, stack, stackResolutionX=None, stackResolutionY=None, stackResolutionZ=None)


def _version_text(server: Context, key: StackKey, name: str, kind: str) -> Answer:
    with server.store.read() as connection:
        value = metadata.get(connection, key).version.get(name)
    return ABSENT if value is None else Answer(value.encode(), kind)


@service.get(STACK + "/materializedBoxRootPath", gives=TEXT)
def materialized_box_root_path(server: Context, stack: StackKey) -> Answer:
    """Return the folder of materialized boxes."""
    return _version_text(server, stack, "materializedBoxRootPath", TEXT)


@service.put(STACK + "/materializedBoxRootPath", takes=TEXT)
def save_materialized_box_root_path(server: Context, stack: StackKey, body: str) -> Answer:
    """Set the folder of materialized boxes."""
    return _change_version(server, stack, materializedBoxRootPath=body.strip() or None)


@service.delete(STACK + "/materializedBoxRootPath")
def delete_materialized_box_root_path(server: Context, stack: StackKey) -> Answer:
    """Remove the folder of materialized boxes."""
    return _change_version(server, stack, materializedBoxRootPath=None)


@service.get(STACK + "/mipmapPathBuilder")
def stack_mipmap_path_builder(server: Context, stack: StackKey) -> Answer:
    """Return the rule by which paths of mipmaps are built."""
    with server.store.read() as connection:
        builder = metadata.get(connection, stack).version.get("mipmapPathBuilder")
    return ABSENT if builder is None else json_of(builder)


@service.put(STACK + "/mipmapPathBuilder")
def save_mipmap_path_builder(server: Context, stack: StackKey, body: Any) -> Answer:
    """Set the rule by which paths of mipmaps are built."""
    builder = mipmap_path_builder(body)
    with server.store.write() as connection:
        found = metadata.get(connection, stack).must_be_writable()
        if builder is not None:
            for key in ("rootPath", "numberOfLevels", "extension"):
                if key not in builder:
                    raise Refusal(400, f"{key} must be specified for MipmapPathBuilder")
            if not builder["rootPath"].endswith("/"):
                builder["rootPath"] += "/"
        found.set_version(mipmapPathBuilder=builder)
        found.save(connection)
    return OK


@service.delete(STACK + "/mipmapPathBuilder")
def delete_mipmap_path_builder(server: Context, stack: StackKey) -> Answer:
    """Remove the rule by which paths of mipmaps are built."""
    return _change_version(server, stack, mipmapPathBuilder=None)


@service.get(STACK + "/defaultChannel")
def default_channel(server: Context, stack: StackKey) -> Answer:
    """Return the channel that is rendered unless another is asked for, as bare text."""
    return _version_text(server, stack, "defaultChannel", JSON)


@service.put(STACK + "/defaultChannel", raw=True)
def save_default_channel(server: Context, stack: StackKey, body: str) -> Answer:
    """Set the channel that is rendered unless another is asked for, from bare text."""
    return _change_version(server, stack, defaultChannel=body)


@service.delete(STACK + "/defaultChannel")
def delete_default_channel(server: Context, stack: StackKey) -> Answer:
    """Remove the default channel."""
    return _change_version(server, stack, defaultChannel=None)


@service.get(STACK + "/cycle")
def cycle(server: Context, stack: StackKey) -> Answer:
    """Return the reconstruction cycle of a stack."""
    with server.store.read() as connection:
        version = metadata.get(connection, stack).version
    values = {"number": version.get("cycleNumber"), "stepNumber": version.get("cycleStepNumber")}
    return json_of({key: value for key, value in values.items() if value is not None})


@service.put(STACK + "/cycle")
def save_cycle(server: Context, stack: StackKey, body: Any) -> Answer:
    """Set the reconstruction cycle of a stack."""
    given = fields(body, "cycle", {"number": as_integer, "stepNumber": as_integer})
    # null is the cycle of nothing
    given = given or {}
    return _change_version(
        server, stack, cycleNumber=given.get("number"), cycleStepNumber=given.get("stepNumber")
    )


@service.delete(STACK + "/cycle")
def delete_cycle(server: Context, stack: StackKey) -> Answer:
    """Remove the reconstruction cycle of a stack."""
    return _change_version(server, stack, cycleNumber=None, cycleStepNumber=None)


def delete_tiles(server: Context, key: StackKey, **choice: Any) -> Answer:
    """Remove tiles of a LOADING stack; none at all is fine, shared transforms stay."""
    with server.store.write() as connection:
        stack = metadata.must_be_loading(metadata.get(connection, key), "deletion")
        TileQuery(stack.row, **choice).delete(connection)
    return OK


@service.delete(STACK + "/section/{sectionId}")
def delete_section(server: Context, stack: StackKey, sectionId: str) -> Answer:
    """Delete the tiles of a section."""
    return delete_tiles(server, stack, section=sectionId)


@service.delete(STACK + "/z/{z:double}")
def delete_layer(server: Context, stack: StackKey, z: float) -> Answer:
    """Delete the tiles of a layer."""
    return delete_tiles(server, stack, z=z)


@service.put(STACK + "/state/{state:state}", takes=None)
def set_state(server: Context, stack: StackKey, state: str) -> Answer:
    """Bring a stack into another state; COMPLETE derives its stats."""
    try:
        _change_state(server, stack, state)
    except FailedError:
        if state == COMPLETE:
            with server.store.write() as connection:
                # looking for the sections has made the collections of an OFFLINE stack again, empty ones
                metadata.restore_contents(connection, stack)
        raise
    if state == OFFLINE:
        server.store.remove_dropped()
    return CREATED


def _change_state(server: Context, stack: StackKey, state: str) -> None:
    with server.store.write() as connection:
        found = metadata.get(connection, stack)
        if metadata.change_state(connection, found, state):
            # an OFFLINE stack keeps its metadata, in a row without contents
            server.store.drop(connection, "stack", found.row)
            found.row = metadata.create(connection, stack, 0, {}).row
            found.save(connection)


@service.get(STACK + "/bounds")
def bounds(server: Context, stack: StackKey) -> Answer:
    """Return the bounds of a stack whose stats were derived."""
    with server.store.read() as connection:
        return json_of(metadata.bounds(metadata.get(connection, stack)))


@service.get(STACK + "/tileIds", query={"minZ": double, "maxZ": double, "matchPattern": string})
def tile_ids(
    server: Context, stack: StackKey, minZ: float | None, maxZ: float | None, matchPattern: str | None
) -> Answer:
    """List the ids of tiles, sorted; a stack that does not exist has none."""
    pattern = None if matchPattern is None else IdPattern("matchPattern", matchPattern)
    with server.store.read() as connection:
        row = metadata.contents(connection, stack)
    pages = (
        _all_ids(server, row) if minZ is None and maxZ is None else _ids_of_layers(server, row, minZ, maxZ)
    )
    if pattern is not None:
        # all of them before the answer begins: one that takes too long is refused
        pages = iter([_search(pattern, page) for page in pages])

    def content() -> Iterator[bytes]:
        start = b"["
        for found in pages:
            if found != b"[]":
                yield start + found[1:-1]
                start = b","
        yield b"[]" if start == b"[" else b"]"

    return json_bytes(content())


def _search(pattern: IdPattern, page: bytes) -> bytes:
    turns.check()
    return _json.dumps(pattern.search(_json.loads(page)))


def _all_ids(server: Context, row: int | None) -> Iterator[bytes]:
    """Return arrays of the sorted ids of a stack, a page at a time."""
    last = None
    with server.store.held() as read:
        while True:
            with read() as connection:
                page, last = page_of_ids(connection, row, _PAGE, last)
            if last is None:
                return
            yield page


def _ids_of_layers(
    server: Context, row: int | None, min_z: float | None, max_z: float | None
) -> Iterator[bytes]:
    with server.store.read() as connection:
        yield TileQuery(row, min_z=min_z, max_z=max_z).array_of_ids(connection)


@service.put(STACK + "/tile-specs-with-ids")
def tile_specs_with_ids(server: Context, stack: StackKey, body: Any) -> Answer:
    """Return the resolved tile specs with some ids; unknown ids are left out."""
    ids = as_list(body, "tile ids", as_text)
    if ids is None:
        raise Refusal(500, "the list of tile ids must not be null")
    with server.store.read() as connection:
        row = metadata.contents(connection, stack)
        if row is None:
            return json_of([])
        wanted = [tile_id for tile_id in dict.fromkeys(ids) if tile_id is not None]
        tiles = TileQuery(row, ids=wanted).read(connection, server.most_tiles)
        return array_of([resolved_content(connection, row, tiles)])
