"""Match trials by their id, as the JSON that is answered."""

from __future__ import annotations

from renderapi.server.store.database import Transaction


def save(connection: Transaction, name: str, document: bytes) -> None:
    """Store a trial."""
    connection.execute("INSERT INTO trial (id, document) VALUES (?, ?)", (name, document))


def get(connection: Transaction, name: str) -> bytes | None:
    """Return a trial, None if there is none."""
    found = connection.execute("SELECT document FROM trial WHERE id = ?", (name,)).fetchone()
    return None if found is None else bytes(found[0])


def delete(connection: Transaction, name: str) -> None:
    """Delete a trial, if it is there."""
    connection.execute("DELETE FROM trial WHERE id = ?", (name,))
