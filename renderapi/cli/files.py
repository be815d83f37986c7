"""Verbs from files to stacks: import, validate."""

from __future__ import annotations

import argparse
from collections.abc import Sized
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi.cli import addresses, microscope
from renderapi.cli.addresses import connect, shown
from renderapi.cli.copying import show_transfer
from renderapi.cli.options import (
    Commands,
    Exit,
    UsageError,
    add_connection,
    add_dry_run,
    add_engine,
    add_json,
    counted,
    number_text,
    positive,
    verb,
)
from renderapi.cli.screen import progress, show

if TYPE_CHECKING:
    from renderapi.client.local.checking import CheckedFiles
    from renderapi.render import Render

_SHOWN = 20


def add(commands: Commands) -> None:
    """Add the verbs."""
    reading = verb(
        commands,
        "import",
        _import,
        help="store tile specs of files, or an export, in a stack",
        description="Store the tile specs of JSON files (lists, .gz too) in a stack, which is set LOADING first and "
        "COMPLETE in the end. With --dry-run the files are looked at as by validate, and nothing is stored. Or store "
        "the rows of a table (.csv, .tsv, .parquet, .feather), or a folder that renderapi export wrote; with --matches "
        "matches of these, or of JSON files, in a match collection. Or make the tile specs of "
        "--images, --trakem2 or --mdoc: all files are looked at first, and with --dry-run what comes out is shown.",
        library="renderapi.fromfiles.from_images renderapi.fromfiles.from_trakem2 renderapi.fromfiles.from_serialem "
        "renderapi.client.import_tilespecs_parallel "
        "renderapi.client.import_jsonfiles_parallel renderapi.client.check_jsonfiles "
        "renderapi.tables.read_table renderapi.tables.import_table renderapi.tables.import_match_table "
        "renderapi.pointmatch.upload_matches "
        "renderapi.stack.ensure_stack renderapi.transfer.import_stack renderapi.transfer.import_matches",
    )
    reading.add_argument("stack", metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL")
    _add_files(reading, "JSON files, one table, or one folder that renderapi export wrote", nargs="*")
    reading.add_argument(
        "--column", action="append", default=[], type=microscope.assigned, metavar="THEIRS=OURS",
        help="what a column of a table or of --positions is, such as stage_x_um=x; may be given several times",
    )  # fmt: skip
    microscope.add(reading)
    addresses.add_matches(reading)
    reading.add_argument(
        "--overwrite", action="store_true", help="of a folder: make the stack what was exported"
    )
    reading.add_argument("--create", action="store_true", help="make the stack if it is not there")
    reading.add_argument("--leave-open", action="store_true", help="leave the stack LOADING in the end")
    reading.add_argument(
        "--threads", type=positive, default=4, metavar="N", help="threads that send (default 4)"
    )
    reading.add_argument("--batch", type=positive, metavar="N", help="tiles in a request (default 2000)")
    add_engine(reading)
    add_dry_run(reading)
    add_json(reading)
    add_connection(reading, scripts=True)

    validate = verb(
        commands,
        "validate",
        _validate,
        help="look whether a server would take files",
        description="Look at files as an import does, without a server: ids, sizes, transforms, references to shared "
        "transforms. With --kind the files hold other documents of render-ws, one or a list. Ends with 3 if something "
        "is wrong.",
        library="renderapi.client.check_jsonfiles renderapi.schemas.problems",
    )
    _add_files(validate, "JSON files")
    validate.add_argument(
        "--kind",
        metavar="KIND",
        help="kind of document: resolved_tiles, canvas_matches ... (default: lists of tile specs)",
    )
    validate.add_argument(
        "--validator",
        metavar="CLASS",
        help="also what this class asks: TemTileSpecValidator, WarpedTileSpecValidator",
    )
    validate.add_argument(
        "--validator-data", metavar="DATA", help="its settings, such as minCoordinate:-500,maxSize:9000"
    )
    add_json(validate)


def _add_files(parser: argparse.ArgumentParser, what: str, nargs: str = "+") -> None:
    parser.add_argument("files", nargs=nargs, metavar="FILE", help=what)
    parser.add_argument(
        "--transforms", metavar="FILE", help="JSON file of the shared transforms that tiles refer to"
    )


# -------------------------------------------------------------------------------------------- import


def _import(options: argparse.Namespace) -> int:
    from renderapi.client import import_jsonfiles_parallel
    from renderapi.stack import ensure_stack
    from renderapi.tables import is_table_file

    if options.files and Path(options.stack).is_file() and not Path(options.files[0]).exists():
        raise UsageError(
            f"{options.stack} is a file: the stack comes first, as in renderapi import STACK FILE"
        )
    from_microscope = microscope.is_asked(options)
    options.stack = addresses.either(options, options.stack)
    render = connect(options, options.stack)
    name = shown(render, options.stack)
    if from_microscope:
        return _import_tiles(options, render, name)
    for path in (*options.files, *filter(None, [options.transforms])):
        Path(path).stat()  # before anything is made
    if any(Path(path).is_dir() for path in options.files):
        return _import_folder(options, render)
    if options.matches:
        return _import_matches(options, render, name)
    if any(map(is_table_file, options.files)):
        return _import_table(options, render, name)
    if options.dry_run:
        return _would_import(options, render, name)
    if options.create:
        ensure_stack(options.stack.name, render=render)
    else:
        _must_exist(options.stack.name, render)
    import_jsonfiles_parallel(
        options.stack.name,
        options.files,
        poolsize=options.threads,
        transformFile=options.transforms,
        close_stack=not options.leave_open,
        engine=options.engine,
        progress=progress("importing"),
        batch_size=options.batch,
        render=render,
    )
    return _imported(options, render, name, options.files)


def _import_table(options: argparse.Namespace, render: Render, name: str) -> int:
    from renderapi.stack import ensure_stack
    from renderapi.tables import import_table, read_table, table_to_tiles

    path, columns = _one_table(options)
    table = read_table(path, columns=columns)
    if options.dry_run:
        into, state = _into(options, render, name)
        count = len(table_to_tiles(table, columns=columns))
        text = f"{counted(count, 'tiles')} of {path}\nwould be imported into {into}"
        show(options, {"stack": name, "state": state, "tiles": count, "dryRun": True}, text)
        return Exit.OK
    if options.create:
        ensure_stack(options.stack.name, render=render)
    else:
        _must_exist(options.stack.name, render)
    import_table(
        options.stack.name,
        table,
        columns=columns,
        close_stack=not options.leave_open,
        batch_size=options.batch,
        poolsize=options.threads,
        progress=progress("importing"),
        render=render,
    )
    return _imported(options, render, name, [path])


def _one_table(options: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Return the table of an import, and what its columns are called."""
    if len(options.files) != 1:
        raise UsageError("give one table, and nothing else")
    return options.files[0], {ours: theirs for theirs, ours in options.column}


def _import_matches(options: argparse.Namespace, render: Render, name: str) -> int:
    from renderapi.pointmatch import upload_matches
    from renderapi.tables import import_match_table, is_table_file, read_table, table_to_matches

    words: dict[str, Any] = {
        "poolsize": options.threads,
        "progress": progress("importing"),
        "render": render,
    }
    if any(map(is_table_file, options.files)):
        path, columns = _one_table(options)
        table = read_table(path, columns=columns)
        if not options.dry_run:
            count = import_match_table(options.stack.name, table, columns=columns, **words).stored
        else:
            count = len(table_to_matches(table, columns=columns))
    else:
        contents = map(_content_of, options.files)
        documents = [d for content in contents for d in (content if isinstance(content, list) else [content])]
        count = (
            len(documents)
            if options.dry_run
            else upload_matches(options.stack.name, documents, **words).stored
        )
    done = "would import" if options.dry_run else "imported"
    text = f"{done} {counted(count, 'pairs')} of {_files(options.files)} into {name}"
    document = {"collection": name, "files": options.files, "pairs": count, "dryRun": options.dry_run}
    show(options, document, text)
    return Exit.OK


def _content_of(path: str) -> Any:
    """Return what a JSON file holds."""
    from renderapi import _json
    from renderapi.errors import SpecError
    from renderapi.utils import open_text

    with open_text(path) as file:
        try:
            return _json.loads(file.read())
        except ValueError as error:
            raise SpecError(f"{path} is not JSON: {error}") from None


def _imported(options: argparse.Namespace, render: Render, name: str, files: list[str]) -> int:
    """Show what the stack is after an import."""
    from renderapi.stack import get_full_stack_metadata

    metadata = get_full_stack_metadata(options.stack.name, render=render)
    count = (metadata.get("stats") or {}).get("tileCount")
    holds = f", and holds {counted(count, 'tiles')}" if metadata["state"] == "COMPLETE" else ""
    text = f"imported {_files(files)} into {name}: it is {metadata['state']}{holds}"
    show(options, {"stack": name, "files": files, "metadata": metadata, "dryRun": False}, text)
    return Exit.OK


def _import_tiles(options: argparse.Namespace, render: Render, name: str) -> int:
    from renderapi.client import import_tilespecs_parallel
    from renderapi.stack import ensure_stack

    if options.dry_run:
        return microscope.preview(options, name, _into(options, render, name)[0])
    if not options.create:
        _must_exist(options.stack.name, render)
    tiles, resolution = microscope.tiles_of(options)
    if options.create:
        ensure_stack(options.stack.name, render=render, **resolution)
    import_tilespecs_parallel(
        options.stack.name,
        tiles,
        poolsize=options.threads,
        close_stack=not options.leave_open,
        engine=options.engine,
        progress=progress("importing"),
        batch_size=options.batch,
        render=render,
    )
    return _imported(options, render, name, options.images or [options.trakem2 or options.mdoc])


def _import_folder(options: argparse.Namespace, render: Render) -> int:
    from renderapi.transfer import import_matches, import_stack

    if len(options.files) != 1 or not Path(options.files[0]).is_dir():
        raise UsageError("give one folder that renderapi export wrote, and nothing else")
    words: dict[str, Any] = {
        "overwrite": options.overwrite,
        "dry_run": options.dry_run,
        "poolsize": options.threads,
        "progress": progress("importing"),
        "render": render,
    }
    if options.matches:
        result = import_matches(options.files[0], options.stack.name, **words)
    else:
        result = import_stack(
            options.files[0], options.stack.name, close_stack=not options.leave_open, **words
        )
    show_transfer(options, result, "would import" if options.dry_run else "imported")
    return Exit.OK


def _into(options: argparse.Namespace, render: Render, name: str) -> tuple[str, str | None]:
    """Return what would be imported into, and its state."""
    from renderapi.errors import NotFoundError
    from renderapi.stack import get_full_stack_metadata

    state = None
    if not options.create:
        state = _must_exist(options.stack.name, render)
    else:
        with suppress(NotFoundError):
            state = str(get_full_stack_metadata(options.stack.name, render=render)["state"])
    return f"{name}, which would be made" if state is None else f"{name}, which is {state}", state


def _would_import(options: argparse.Namespace, render: Render, name: str) -> int:
    into, state = _into(options, render, name)
    found = _checked(options)
    text = f"{_summary(found)}\nwould be imported into {into}" + _listed(found)
    show(options, {"stack": name, "state": state, **_document(found), "dryRun": True}, text)
    return Exit.DIFFERS if found.problems else Exit.OK


def _must_exist(stack: str, render: Render) -> str:
    """Return the state of the stack of an import, or say how to make it."""
    from renderapi._parallel import with_note
    from renderapi.errors import NotFoundError
    from renderapi.stack import get_full_stack_metadata

    try:
        return str(get_full_stack_metadata(stack, render=render)["state"])
    except NotFoundError as error:
        raise with_note(error, "--create makes it.") from None


def _files(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files"


# ------------------------------------------------------------------------------------------ validate


def _validate(options: argparse.Namespace) -> int:
    if options.kind is not None:
        return _validate_documents(options)
    found = _checked(options)
    show(options, _document(found), _summary(found) + _listed(found))
    return Exit.DIFFERS if found.problems else Exit.OK


def _checked(options: argparse.Namespace) -> CheckedFiles:
    from renderapi.client import check_jsonfiles
    from renderapi.client.validation import validator_of

    validator = validator_of(getattr(options, "validator", None), getattr(options, "validator_data", None))
    return check_jsonfiles(
        options.files, options.transforms, validator=validator, progress=progress("checking")
    )


def _summary(found: CheckedFiles) -> str:
    layers = (
        f" in {counted(len(found.zs), 'layers')}, z {found.zs[0]:g} to {found.zs[-1]:g}" if found.zs else ""
    )
    return f"{counted(found.tiles, 'tile specs')}{layers}: {_problems(found.problems)}"


def _problems(found: Sized) -> str:
    return counted(len(found), "problems") if found else "no problems"


def _listed(found: CheckedFiles) -> str:
    lines = [
        f"\n{problem.path}{'' if problem.tileId is None else f': tile {problem.tileId}'}: {problem.text}"
        for problem in found.problems[:_SHOWN]
    ]
    more = len(found.problems) - _SHOWN
    return "".join(lines) + (f"\n... and {number_text(more)} more (--json has all)" if more > 0 else "")


def _document(found: CheckedFiles) -> dict[str, Any]:
    return {
        "tiles": found.tiles,
        "zs": found.zs,
        "problems": [problem._asdict() for problem in found.problems],
    }


def _validate_documents(options: argparse.Namespace) -> int:
    from renderapi import schemas

    if options.kind not in schemas.kinds():
        raise UsageError(f"there is no kind {options.kind!r}; there are {', '.join(schemas.kinds())}")
    found: list[dict[str, str]] = []
    count = 0
    for path in options.files:
        content = _content_of(path)
        documents = content if isinstance(content, list) else [content]
        count += len(documents)
        for index, document in enumerate(documents):
            where = f"[{index}]" if isinstance(content, list) else ""
            for place, text in schemas.problems(options.kind, document):
                found.append(
                    {"path": str(path), "place": ".".join(filter(None, [where, place])), "text": text}
                )
    lines = [f"\n{problem['path']}: {problem['place']}: {problem['text']}" for problem in found[:_SHOWN]]
    more = f"\n... and {len(found) - _SHOWN} more (--json has all)" if len(found) > _SHOWN else ""
    text = f"{number_text(count)} documents of kind {options.kind}: {_problems(found)}{''.join(lines)}{more}"
    show(options, {"documents": count, "problems": found}, text)
    return Exit.DIFFERS if found else Exit.OK
