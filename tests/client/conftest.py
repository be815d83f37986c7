import stat
import textwrap

import pytest

CONNECTION = {"host": "http://render.example", "port": 8080, "owner": "own", "project": "proj"}


class StandIn:
    """A client script that writes down its arguments, then does what its body says (in sh)."""

    def __init__(self, folder, name="run_ws_client.sh"):
        self.path = folder / name
        self.log = folder / "calls"
        self.write("exit 0")

    def write(self, body):
        self.path.write_text(
            "#!/bin/sh\n"
            # in one piece, because several may run at once
            "record=$(for word; do printf '%s\\037' \"$word\"; done; printf '\\036')\n"
            f"printf '%s' \"$record\" >> {self.log}\n"
            # for the body: `value OPTION "$@"` is what follows an option
            'value() { want="$1"; shift; while [ $# -gt 0 ]; do\n'
            '[ "$1" = "$want" ] && { echo "$2"; return; }; shift; done; }\n'
            f"{textwrap.dedent(body)}\n"
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        return self

    @property
    def calls(self):
        """The words of every call, without the name of the script."""
        if not self.log.exists():
            return []
        return [call.split("\037")[:-1] for call in self.log.read_text().split("\036")[:-1]]

    def only_call(self):
        [call] = self.calls
        return call


@pytest.fixture
def script(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    return StandIn(folder)


@pytest.fixture
def connection(script):
    """Keywords of a call that runs the stand-in."""
    return {**CONNECTION, "client_script": str(script.path)}


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch):
    """Folder in which temporary files are made; it should be empty afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder
