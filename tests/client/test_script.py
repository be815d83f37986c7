"""Running a script: modes, output, errors, signals, time limits, interruption."""

import contextlib
import errno
import io
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import renderapi
from renderapi.client import ClientArgumentError, call_run_ws_client, run_subprocess_mode
from renderapi.client.java import script as scripts
from renderapi.errors import ClientScriptError, RenderWarning

JAVA_CLASS = "org.janelia.render.client.SomeClient"


def is_running(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------ modes


@pytest.mark.parametrize("mode", [None, "check_call", "popen", "Popen"])
def test_a_script_that_succeeds(script, mode):
    assert run_subprocess_mode([str(script.path), "a b"], subprocess_mode=mode) == 0
    assert script.only_call() == ["a b"]


@pytest.mark.parametrize("mode", [None, "check_call", "popen", "check_output"])
def test_a_failure_is_raised(script, mode):
    script.write("echo reason; exit 3")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_subprocess_mode([str(script.path)], subprocess_mode=mode)
    assert caught.value.returncode == 3
    assert caught.value.output == (b"reason\n" if mode == "check_output" else "reason\n")


def test_call_gives_the_status_and_warns_of_a_failure(script):
    assert run_subprocess_mode([str(script.path)], subprocess_mode="call") == 0
    script.write("exit 3")
    with pytest.warns(
        RenderWarning, match="failed with exit status 3; subprocess_mode='call' does not raise"
    ):
        assert run_subprocess_mode([str(script.path)], subprocess_mode="call") == 3


def test_check_output_gives_all_that_was_printed_and_shows_only_errors(script, capfd):
    script.write("i=0; while [ $i -lt 30 ]; do printf '%01000d' 0; i=$((i+1)); done; echo trouble >&2")
    assert run_subprocess_mode([str(script.path)], subprocess_mode="check_output") == b"0" * 30_000
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "trouble\n")


def test_check_output_cannot_give_what_goes_other(script):
    with pytest.raises(ValueError, match="stdout="):
        run_subprocess_mode([str(script.path)], subprocess_mode="check_output", stdout=subprocess.DEVNULL)
    assert script.calls == []


def test_an_unknown_mode_is_taken_for_check_call(script):
    with pytest.warns(RenderWarning, match="'chekc_call' is taken for 'check_call'"):
        assert run_subprocess_mode([str(script.path)], subprocess_mode="chekc_call") == 0


def test_other_keywords_are_ignored(script):
    assert run_subprocess_mode([str(script.path)], pool_size=3) == 0


# ----------------------------------------------------------------------------------------------- output


def test_output_is_shown_as_it_comes(script, capfd):
    script.write("echo to out; echo to err >&2")
    run_subprocess_mode([str(script.path)])
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("to out\n", "to err\n")


def test_output_is_shown_where_python_prints(script):
    script.write("echo hello")
    with contextlib.redirect_stdout(io.StringIO()) as notebook:
        run_subprocess_mode([str(script.path)])
    assert notebook.getvalue() == "hello\n"


def test_output_goes_into_an_open_file(script, tmp_path, capfd):
    script.write("echo to out; echo to err >&2")
    with (tmp_path / "log").open("w") as file:
        run_subprocess_mode([str(script.path)], stdout=file, stderr=subprocess.STDOUT)
    assert (tmp_path / "log").read_text() == "to out\nto err\n"
    assert capfd.readouterr() == ("", "")


def test_output_goes_into_an_object_that_is_no_file(script, capfd):
    script.write("echo to out")
    stream = io.StringIO()
    run_subprocess_mode([str(script.path)], stdout=stream)
    assert stream.getvalue() == "to out\n"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("nowhere", [subprocess.DEVNULL, subprocess.PIPE])
def test_output_that_is_not_shown_is_still_in_the_error(script, nowhere, capfd):
    script.write("echo to out; echo to err >&2; exit 1")
    with pytest.raises(ClientScriptError, match="to out") as caught:
        call_run_ws_client(JAVA_CLASS, client_script=str(script.path), stdout=nowhere, stderr=nowhere)
    assert sorted(caught.value.output.split("\n")) == ["", "to err", "to out"]
    assert capfd.readouterr() == ("", "")


def test_none_is_as_if_not_given(script, capfd):
    script.write("echo hello")
    run_subprocess_mode([str(script.path)], stdout=None, stderr=None)
    assert capfd.readouterr().out == "hello\n"


def test_garbage_is_shown_and_kept(script, capfd):
    script.write(r"printf '\377\376\000binary\303'; exit 1")
    with pytest.raises(ClientScriptError, match="binary"):
        call_run_ws_client(JAVA_CLASS, client_script=str(script.path))
    assert "binary" in capfd.readouterr().out


def test_only_the_end_of_much_output_is_kept(script):
    script.write(
        "i=0; while [ $i -lt 100 ]; do printf '%01000d\\n' $i; i=$((i+1)); done; echo the end; exit 1"
    )
    with pytest.raises(ClientScriptError, match="the end") as caught:
        call_run_ws_client(JAVA_CLASS, client_script=str(script.path), stdout=subprocess.DEVNULL)
    assert caught.value.output.endswith("the end\n")
    assert len(caught.value.output) == 16_000
    assert len(str(caught.value)) < 4_000


def test_a_display_that_was_closed_does_not_stop_the_script(script):
    script.write("echo one; echo two; exit 0")
    stream = io.StringIO()
    stream.close()
    assert run_subprocess_mode([str(script.path)], stdout=stream) == 0


def test_without_a_standard_output(script, monkeypatch):
    script.write("echo hello")
    monkeypatch.setattr(sys, "stdout", None)
    assert run_subprocess_mode([str(script.path)]) == 0


def test_a_background_process_of_the_script_is_not_waited_for(script, monkeypatch):
    monkeypatch.setattr(scripts, "_GRACE", 0.1)
    script.write("sleep 5 & echo $!")
    start = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        run_subprocess_mode([str(script.path)])
    assert time.monotonic() - start < 4
    os.kill(int(shown.getvalue()), signal.SIGKILL)


@pytest.mark.parametrize("chatty", [False, True])
def test_what_a_script_printed_is_returned_though_something_it_started_holds_the_stream(
    script, monkeypatch, chatty
):
    monkeypatch.setattr(scripts, "_GRACE", 0.5)
    pid = script.path.with_name("pid")
    work = "sleep 0.01; echo more" if chatty else "sleep 1"
    script.write(f"echo all of it; (for i in $(seq 1000); do {work}; done) & echo $! > {pid}")
    threads = threading.active_count()
    try:
        printed = run_subprocess_mode([str(script.path)], "check_output")
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
    assert printed.startswith(b"all of it\n")
    assert threading.active_count() == threads


def test_a_script_that_reads_is_not_given_the_keyboard(script):
    script.write("cat; echo done")
    assert run_subprocess_mode([str(script.path)], subprocess_mode="check_output") == b"done\n"


# ---------------------------------------------------------------------------------------------- failures


def failure_of(script, **kwargs):
    with pytest.raises(ClientScriptError) as caught:
        call_run_ws_client(JAVA_CLASS, ["--a", 1], client_script=str(script.path), **kwargs)
    return caught.value


def test_a_failure_says_what_was_run_and_what_was_printed(script):
    script.write("echo the reason; exit 7")
    error = failure_of(script)
    assert "failed with exit status 7" in str(error)
    assert f"{script.path} 1G {JAVA_CLASS} --a 1" in str(error)
    assert "the reason" in str(error)
    assert (error.returncode, error.output) == (7, "the reason\n")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.returncode, again.output) == (str(error), 7, "the reason\n")


def test_a_silent_failure(script):
    script.write("exit 1")
    error = failure_of(script)
    assert "printed nothing" in str(error)
    assert (error.returncode, error.output) == (1, "")


def test_a_killed_script(script):
    script.write("kill -KILL $$")
    error = failure_of(script)
    assert "was ended by signal SIGKILL" in str(error)
    assert error.returncode == -9


def test_a_killed_java(script):
    script.write("exit 143")
    assert "exit status 143: something it ran was ended by signal SIGTERM" in str(failure_of(script))


@pytest.mark.parametrize(
    ("output", "status", "advice"),
    [
        ("Exception in thread main java.lang.OutOfMemoryError: Java heap space", 1, "memGB="),
        ("Error: Could not find or load main class x.Y", 1, "RENDER_CLIENT_JAR"),
        ("Connect to render.example failed: Connection refused", 1, "does not answer"),
        ("java: command not found", 127, "RENDER_JAVA_HOME"),
    ],
)
def test_known_failures_come_with_advice(script, output, status, advice):
    script.write(f"echo '{output}'; exit {status}")
    assert advice in str(failure_of(script))


def test_a_long_command_is_shortened_in_the_error(script):
    script.write("exit 1")
    with pytest.raises(ClientScriptError, match=r"\.\.\. \(1003 words\)") as caught:
        call_run_ws_client(JAVA_CLASS, ["x" * 20] * 1000, client_script=str(script.path))
    assert len(str(caught.value)) < 4_000


def test_a_command_line_that_is_too_long(script):
    with pytest.raises(ClientScriptError, match="too long for this system"):
        call_run_ws_client(JAVA_CLASS, ["x" * 200_000], client_script=str(script.path))


def test_a_script_that_is_no_program(script):
    script.path.write_text("")
    script.path.write_bytes(b"\x7fnothing")
    assert "does not begin with a #! line" in str(failure_of(script))


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(ClientScriptError, match=r"nothing\.sh does not exist; give connect") as caught:
        call_run_ws_client(JAVA_CLASS, client_script=str(tmp_path / "nothing.sh"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("line", "named"),
    [("#!/no/such/shell -e\n", "'/no/such/shell'"), ("#!/bin/sh\r\n", r"'/bin/sh\\r'.*as on Windows")],
    ids=["missing", "line ends of Windows"],
)
def test_an_interpreter_that_is_not_there_is_named(script, line, named):
    script.path.write_bytes(line.encode() + b"exit 0\n")
    assert re.search(f"its interpreter {named}", str(failure_of(script)))


def test_another_reason_not_to_start(script):
    script.path.chmod(0o600)
    with pytest.raises(ClientScriptError, match=r"cannot be run: .*Permission denied"):
        call_run_ws_client(JAVA_CLASS, client_script=str(script.path))
    assert "strange" in str(scripts.failure(OSError(errno.EIO, "strange"), ["x"]))


# ------------------------------------------------------------------------------------ time and interruption


def test_timeout_ends_the_script_and_all_that_it_started(script, tmp_path):
    # as the real script does: it waits for java, which a signal to the script alone would leave running
    script.write(f"sleep 60 & echo $! > {tmp_path}/java; echo started; wait")
    error = failure_of(script, timeout=1.0)
    assert "did not finish within 1.0 s and was ended" in str(error)
    assert error.output == "started\n"
    java = int((tmp_path / "java").read_text())
    wait_for(lambda: not is_running(java))


def test_a_script_that_does_not_want_to_end_is_forced(script, monkeypatch):
    monkeypatch.setattr(scripts, "_GRACE", 0.2)
    script.write("trap '' TERM; while true; do sleep 0.05; done")
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        run_subprocess_mode([str(script.path)], timeout=0.3)
    assert time.monotonic() - start < 5
    assert caught.value.timeout == 0.3


def test_ctrl_c_ends_and_reaps_the_script_and_removes_temporary_files(script, tmp_path):
    script.write(f"sleep 60 & echo $! > {tmp_path}/java; echo $$ > {tmp_path}/pid; wait")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import sys, tempfile
            import renderapi.client
            tempfile.tempdir = {str(temporary)!r}
            try:
                renderapi.client.local_to_world_array("s", [[1, 2]], "t", client_script={str(script.path)!r},
                    host="h", port=1, owner="o", project="p")
            except KeyboardInterrupt:
                sys.exit(42)
            """
        )
    )
    child = subprocess.Popen([sys.executable, str(program)])
    pids = [tmp_path / "pid", tmp_path / "java"]
    wait_for(lambda: all(file.exists() and file.read_text().strip() for file in pids))
    assert list(temporary.iterdir())
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 42
    for file in pids:
        wait_for(lambda file=file: not is_running(int(file.read_text())))
    assert list(temporary.iterdir()) == []


def test_processes_are_found_without_proc(monkeypatch):
    monkeypatch.setattr(scripts, "Path", lambda *_: Path("/nowhere"))

    def ps(*_, **__):
        return subprocess.CompletedProcess(
            [], 0, stdout=b"   10     1\n   11    10\n   12    11\n   13     1\n"
        )

    monkeypatch.setattr(subprocess, "run", ps)
    assert scripts._descendants(10) == [11, 12]


# ------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "empty"),
        ("a b", "white space"),
        ("a\tb", "white space"),
        ("a\nb", "white space"),
        ("a\0b", "white space"),
        ("@file", "file of arguments"),
        ('"quoted"', "double quotes"),
    ],
)
def test_words_that_would_not_arrive_are_refused(script, word, why):
    for error in (ClientScriptError, ValueError):
        with pytest.raises(error, match=why):
            call_run_ws_client(JAVA_CLASS, ["--name", word], client_script=str(script.path))
    assert script.calls == []


def test_the_error_names_the_option(script):
    with pytest.raises(ClientArgumentError, match="argument --rootDirectory '/my data' cannot be handed"):
        call_run_ws_client(JAVA_CLASS, ["--rootDirectory", "/my data"], client_script=str(script.path))


@pytest.mark.parametrize("pattern", ["*.json", "tiles?.json", "tiles[0-9].json"])
def test_patterns_are_refused_where_they_match_files(script, tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    call_run_ws_client(JAVA_CLASS, [pattern], client_script=str(script.path))
    (tmp_path / "tiles1.json").touch()
    with pytest.raises(ClientArgumentError, match="there are files that it matches"):
        call_run_ws_client(JAVA_CLASS, [pattern], client_script=str(script.path))
    assert len(script.calls) == 1


def test_urls_arrive(script):
    url = "http://h:8080/render-ws/v1/tile/a/render-parameters?filter=true&normalizeForMatching=true"
    call_run_ws_client(JAVA_CLASS, [url], client_script=str(script.path))
    assert script.only_call() == ["1G", JAVA_CLASS, url]


def test_what_is_not_refused_arrives_through_a_script_that_does_not_quote(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file1", "b.json", "a-b"):
        (tmp_path / name).touch()
    # the real script expands its arguments twice without quotes
    script.write('run() { command="java $*"; for word in $command; do echo "$word"; done; }; run $*')
    candidates = [
        "", "a b", "x\ty", "*", "*.json", "file?", "[f]ile1", "[x]*", "a?c", "http://h/a?b=c&d=e", "$HOME",
        "~", "{a,b}", "!x", "(x)", "a;b", "a|b", "<x", "a#b", "'q'", 'a"b', "-1.5", "a=b", "%20", "\u00e4",
        "x" * 5000,
    ]  # fmt: skip
    accepted = [word for word in candidates if scripts._trouble_with(word) is None]
    printed = call_run_ws_client(
        JAVA_CLASS, accepted, client_script=str(script.path), subprocess_mode="check_output"
    )
    assert printed.decode().splitlines()[3:] == accepted
    assert set(candidates) - set(accepted) == {"", "a b", "x\ty", "*", "*.json", "file?", "[f]ile1"}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_argument_is_refused(script, value):
    with pytest.raises(
        ClientArgumentError, match=r"an argument of the Java client is (None|nan|inf) \(after .*--z"
    ):
        call_run_ws_client(JAVA_CLASS, ["--z", value], client_script=str(script.path))
    assert script.calls == []


def test_numbers_and_paths_are_made_text(script, tmp_path):
    import numpy as np

    words = [1, 2.5, np.float64(3), np.int32(4), tmp_path, "nan", True]
    call_run_ws_client(JAVA_CLASS, words, client_script=script.path)
    assert script.only_call()[2:] == ["1", "2.5", "3.0", "4", str(tmp_path), "nan", "True"]


def test_nothing_goes_through_a_shell(script):
    call_run_ws_client(JAVA_CLASS, ["$(touch/x)", "a;b", "`c`"], client_script=str(script.path))
    assert script.only_call()[2:] == ["$(touch/x)", "a;b", "`c`"]


# ------------------------------------------------------------------------------------ script and memory


def test_script_and_memory_of_the_connection(script):
    render = renderapi.render.RenderClient(
        client_script=str(script.path), memGB="2G", host="h", port=1, owner="o", project="p"
    )
    call_run_ws_client(JAVA_CLASS, ["x"], renderclient=render)
    call_run_ws_client(JAVA_CLASS, ["x"], renderclient=render, memGB="3G")
    call_run_ws_client(JAVA_CLASS, ["x"], render=render)
    assert [call[0] for call in script.calls] == ["2G", "3G", "2G"]


def test_script_of_the_folder_or_the_environment(script, monkeypatch):
    call_run_ws_client(JAVA_CLASS, client_scripts=str(script.path.parent))
    render = renderapi.render.Render(client_scripts=str(script.path.parent))
    call_run_ws_client(JAVA_CLASS, renderclient=render)
    monkeypatch.setenv("RENDER_CLIENT_SCRIPTS", str(script.path.parent))
    call_run_ws_client(JAVA_CLASS)
    monkeypatch.setenv("RENDER_CLIENT_SCRIPT", str(script.path))
    call_run_ws_client(JAVA_CLASS)
    assert script.calls == [["1G", JAVA_CLASS]] * 4


def test_without_any_script_it_is_said_how_to_configure_one():
    with pytest.raises(ClientScriptError, match=r"connect.client_scripts=FOLDER.*RENDER_CLIENT_SCRIPTS"):
        call_run_ws_client(JAVA_CLASS)
