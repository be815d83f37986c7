"""What is written is there when it is whole, and nothing else is."""

import contextlib
import errno
import signal
import threading
from pathlib import Path

import pytest

from renderapi._replacing import replacing


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")
    with replacing(str(target)) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_other_threads_leave_signals_alone(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    during = []

    def write():
        with replacing(tmp_path / "a") as temporary:
            during.append(signal.getsignal(signal.SIGTERM))
            temporary.write_text("whole")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert during == [before]
    assert (tmp_path / "a").read_text() == "whole"


def test_a_bad_end_of_the_writing_leaves_nothing(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "b.zarr") as temporary:
        temporary.mkdir()
        (temporary / "chunk").write_bytes(b"x")
        raise KeyboardInterrupt
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("step", ["replace", "rename"])
def test_sigterm_between_writing_and_renaming_waits_for_what_is_whole(tmp_path, monkeypatch, step):
    target = tmp_path / "a"
    move = getattr(Path, step)

    def interrupted(self, other):
        signal.raise_signal(signal.SIGTERM)
        return move(self, other)

    monkeypatch.setattr(Path, step, interrupted)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(SystemExit) as caught, replacing(target) as temporary:
        if step == "rename":
            target.mkdir()
            temporary.mkdir()
            (temporary / "chunk").write_text("new")
        else:
            temporary.write_text("new")
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "chunk" if step == "rename" else target).read_text() == "new"


def test_a_second_sigterm_does_not_break_off_the_cleaning(tmp_path, monkeypatch):
    unlink = Path.unlink

    def interrupted(self, **options):
        signal.raise_signal(signal.SIGTERM)
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(SystemExit), replacing(tmp_path / "a") as temporary:
        temporary.write_text("half")
        signal.raise_signal(signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_a_sigterm_that_got_lost_on_its_way_counts_at_the_end(tmp_path):
    with pytest.raises(SystemExit) as caught, replacing(tmp_path / "a") as temporary:
        temporary.write_text("whole")
        with contextlib.suppress(SystemExit):  # as a finalizer does that it meets
            signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "chunk").write_text("old")
    rename = Path.rename

    def refuse(self, other):
        if self.suffix == ".part":
            raise OSError(errno.EIO, "broken")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="broken"), replacing(target) as temporary:
        temporary.mkdir()
    assert [(target / "chunk").read_text()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]
