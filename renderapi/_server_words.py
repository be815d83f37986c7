"""What the words of a render server mean where its status says too little.

render-ws answers most of what it cannot do with 400 or 500 and the text of a Java exception: about stacks and their
states, its memory and its database. `renderapi.http.transport` asks here what such a text stands for.
"""

from __future__ import annotations

import re

from renderapi import errors

Meaning = tuple[type[errors.RenderError], str]

#: Pattern of a text, the error that it stands for, and what to do about it; of several the first counts.
_MEANINGS: list[tuple[str, type[errors.RenderError], str]] = [
    (
        r"Java heap space|OutOfMemory|GC overhead|NegativeArraySize",
        errors.ServerOutOfMemoryError,
        "The server ran out of memory: ask for less at a time (a smaller box or scale).",
    ),
    (
        r"must first be transitioned to COMPLETE",
        errors.StackStateError,
        "Between other states a stack is COMPLETE: renderapi.stack.set_stack_state(stack, 'COMPLETE') first.",
    ),
    (
        r"READ_ONLY",
        errors.StackStateError,
        "A read-only stack must first be set COMPLETE, then LOADING.",
    ),
    (
        r"LOADING state|must be LOADING|cannot be cloned to stack|because it is ",
        errors.StackStateError,
        "Change the state first: renderapi.stack.set_stack_state(stack, 'LOADING').",
    ),
    (
        r"Stack data aggregation|cannot set stats",
        errors.StackStateError,
        "The stack has no tiles: import some before it is set COMPLETE.",
    ),
    (
        r"have not been stored|section data not aggregated",
        errors.StackStateError,
        "Stats exist once tiles are imported and the stack was set COMPLETE: "
        "renderapi.stack.set_stack_state(stack, 'COMPLETE').",
    ),
    (r"already exists", errors.ConflictError, ""),
    (
        r"waiting to connect. Client view of cluster state|MongoTimeout|MongoSocket",
        errors.ServerError,
        "The render server runs, but its MongoDB does not answer.",
    ),
    (
        r"Upscaling is not currently supported",
        errors.BadRequestError,
        "Tiles lack the mipmap level 0 that this scale needs.",
    ),
    (r"query too broad", errors.BadRequestError, "Ask by section (z) or by box."),
]


def meaning_of(text: str) -> Meaning | None:
    """Tell what an error answer of a render server stands for.

    Parameters
    ----------
    text : str
        Text of the answer.

    Returns
    -------
    (type, str) or None
        The error class, and what to do, which may be empty; None where the text says no more than the status.
    """
    for pattern, kind, advice in _MEANINGS:
        if re.search(pattern, text):
            return kind, advice
    return None
