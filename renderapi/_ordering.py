"""The order in which Java, and with it a render server, sorts texts: by 16 bit units, never as numbers."""

from __future__ import annotations

__all__ = ["java_key"]


def java_key(text: str) -> str:
    """Make a key that sorts as Java sorts a string: by 16 bit units, not by characters."""
    if text.isascii() or max(text) < "\ud800":
        return text  # the units are the characters
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(high << 8 | low) for high, low in zip(units[::2], units[1::2]))
