"""The ``renderapi`` command: one verb for each thing that people do with a render server.

A verb reads words, calls a function of the library, and shows what that gave; it does no work of its own.
Each group of verbs has a module (`looking`, `changing`, ...); what they share is in `options`, `addresses`
and `screen`. A verb imports what it works with when it is run, so that ``--help`` does not wait for it.
"""

from __future__ import annotations

from renderapi.cli.command import main, parser

__all__ = ["main", "parser"]
