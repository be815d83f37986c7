"""Names of files: which there are, what their names say, and names made of what is known of a tile."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path
from typing import Any

Images = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_FIELD = re.compile(r"\{(\w+)\}|(\*)")
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?"
#: Fields whose text is a number.
_WHOLE, _NUMBERS = ("row", "col", "page"), ("z", "x", "y", "stageX", "stageY")


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path from the root; symbolic links are kept."""
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - resolve() follows links


def listed(images: Images) -> list[Path]:
    """List the files that are meant, in the order in which people count: 2 before 10.

    Parameters
    ----------
    images : path, glob pattern, or iterable of them
        ``**`` goes into folders. What is there by its very name is no pattern.

    Returns
    -------
    list of Path
        From the root, each once. A path that is not there is kept, a pattern that meets nothing too.
    """
    given = [images] if isinstance(images, (str, os.PathLike)) else list(images)
    found: dict[Path, None] = {}
    for one in given:
        path = absolute(one)
        wild = any(mark in str(one) for mark in "*?[") and not path.exists()
        found.update(dict.fromkeys(map(Path, glob(str(path), recursive=True)) if wild else [path]))  # noqa: PTH207 - of any root
    return sorted(found, key=natural)


def natural(path: Path) -> list[Any]:
    """Return what sorts names by the numbers in them."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", path.as_posix()))]


class NamePattern:
    """A pattern of file names, such as ``s{z}_r{row}_c{col}.tif``.

    Parameters
    ----------
    pattern : str or re.Pattern
        With fields in braces, ``*`` for anything; or a regular expression with named groups. It stands for the
        end of a path: what is before a ``/`` in it is the name of a folder.
    """

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        self.text = pattern if isinstance(pattern, str) else pattern.pattern
        if isinstance(pattern, re.Pattern) or "(?P<" in pattern:
            try:
                self._regex = re.compile(rf"(?:^|.*/)(?:{self.text})$")
            except re.error as error:
                raise ValueError(f"pattern {self.text!r} is no regular expression: {error}") from None
        else:
            self._regex = re.compile("(?:^|.*/)" + _expression(pattern) + "$")
        if not self._regex.groupindex:
            raise ValueError(f"pattern {self.text!r} has no field, such as {{row}}, {{col}} or {{z}}")

    def read(self, path: Path) -> dict[str, Any] | None:
        """Return what a path says; None if the pattern does not fit."""
        found = self._regex.match(path.as_posix())
        if found is None:
            return None
        values: dict[str, Any] = {}
        for name, text in found.groupdict().items():
            if text is not None:
                values[name] = int(text) if name in _WHOLE else float(text) if name in _NUMBERS else text
        return values


def _expression(pattern: str) -> str:
    parts, end, seen = [], 0, set[str]()
    for field in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : field.start()]))
        end, name = field.end(), field[1]
        if name is None:
            parts.append("[^/]*?")
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            kind = "[0-9]+" if name in _WHOLE else _NUMBER if name in _NUMBERS else "[^/]+?"
            parts.append(f"(?P<{name}>{kind})")
    return "".join([*parts, re.escape(pattern[end:])])


class _Given(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        raise ValueError(f"nothing says what {{{key}}} is; known are {', '.join(sorted(self))}")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Fill the fields of a template.

    Raises
    ------
    ValueError
        If a field is not known, or cannot be written so.
    """
    try:
        return template.format_map(_Given(values))
    except (IndexError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{template!r} cannot be filled: {error}") from None
