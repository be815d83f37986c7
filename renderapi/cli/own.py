"""Verbs that need no server: one of one's own, the demonstration, and completion for a shell."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from renderapi.cli.options import Commands, Exit, any_port, positive, verb

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add(commands: Commands) -> None:
    """Add the verbs."""
    serve = verb(
        commands,
        "serve",
        _serve,
        help="run a render server, without Java and MongoDB",
        description="Run a render server for laptops, notebooks, tests and small data.",
        library="renderapi.server.serve",
    )
    serve.add_argument(
        "--data",
        metavar="DIR",
        default="render-data",
        help="folder of the data, made if it is not there (default: render-data in the current folder)",
    )
    serve.add_argument("--port", type=any_port, default=8080, help="port (default 8080; 0: any that is free)")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default 127.0.0.1: this machine only; the server has no access control)",
    )
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name under which clients may come, beside --host and those of this machine alone; may be given "
        "several times (*: any)",
    )
    serve.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin, such as https://viewer.example.org, whose pages may read and change the data in a "
        "browser; may be given several times (*: all may read; pages of this machine always may)",
    )
    serve.add_argument(
        "--durable", action="store_true", help="survive a power failure, not only a crash (slower writes)"
    )
    serve.add_argument(
        "--image-root",
        action="append",
        default=[],
        metavar="DIR",
        help="folder that images may be read from; may be given several times (default: none)",
    )
    serve.add_argument(
        "--image-http", action="store_true", help="fetch images from other servers too, for whoever asks"
    )
    serve.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        help="most pixels of an image that is drawn (default 268435456)",
    )
    serve.add_argument(
        "--compat",
        choices=["master", "newsolver"],
        default="master",
        help="branch of render that is followed where two contradict each other (default master)",
    )
    serve.add_argument(
        "--property",
        action="append",
        type=_property,
        default=[],
        metavar="NAME=VALUE",
        help="property of the server, such as webService.maxTileSpecsToRender=20: images of more tiles show "
        "their boxes; may be given several times",
    )
    serve.add_argument(
        "--with-parent",
        action="store_true",
        help="stop when standard input closes, as it does when the program that started the server is gone",
    )

    demo = verb(
        commands,
        "demo",
        _demo,
        help="run the user guide from end to end on a server of its own",
        description="Run the user guide from end to end on a server of its own, and say what happens: make a "
        "stack, import 500 sections of 10 x 20 tiles, close it, read it back, store and fetch point matches.",
        library="renderapi.demo.run",
    )
    demo.add_argument(
        "--sections", type=positive, default=500, metavar="N", help="sections of 200 tiles (default 500)"
    )
    demo.add_argument("--keep", metavar="DIR", help="keep the server's data in this folder")
    demo.add_argument(
        "--serve", action="store_true", help="leave the server running in the end, until Ctrl-C"
    )
    demo.add_argument(
        "--port", type=any_port, default=0, help="port of the server (default: any that is free)"
    )

    completion = verb(
        commands,
        "completion",
        _completion,
        help="print what makes a shell complete verbs and options",
        description="Print a script that makes a shell complete the verbs and options of this command. For bash: "
        "renderapi completion bash > ~/.local/share/bash-completion/completions/renderapi",
        library="",
    )
    completion.add_argument("shell", choices=SHELLS)


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("a property is NAME=VALUE")
    return name, value


def _demo(options: argparse.Namespace) -> int:
    from renderapi import demo

    return demo.run(sections=options.sections, keep=options.keep, stay=options.serve, port=options.port)


def _serve(options: argparse.Namespace) -> int:
    from renderapi import server

    if options.with_parent:
        threading.Thread(target=_stop_with_parent, name="renderapi-parent", daemon=True).start()
    given = {} if options.max_pixels is None else {"max_pixels": options.max_pixels}
    server.serve(
        options.data,
        host=options.host,
        port=options.port,
        durable=options.durable,
        image_roots=options.image_root,
        image_http=options.image_http,
        properties=dict(options.property),
        allow_hosts=options.allow_host,
        cors_origins=options.cors_origin,
        compat=options.compat,
        **given,
    )
    return Exit.OK


def _stop_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _completion(options: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError as error:
        from renderapi._extras import install_line

        raise ImportError(f"completion needs shtab: {install_line('cli')}") from error
    print(shtab.complete(options.parser, shell=options.shell))
    return Exit.OK
