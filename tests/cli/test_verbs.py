"""Verbs that look at stacks and change them, against the embedded server."""

import io
import subprocess
import sys
from base64 import b64encode

import pytest
from loopback import Loopback, answer

import renderapi
from renderapi import cli
from renderapi.cli.addresses import Address, collection, stack
from renderapi.cli.options import counted
from renderapi.errors import NotFoundError


class TestLs:
    def test_it_lists_owners_projects_and_stacks(self, run, read):
        assert read("ls", "/") == ["me"]
        assert read("ls", "me") == [{"owner": "me", "project": "p", "stacks": 2}]
        assert [m["stackId"]["stack"] for m in read("ls", "me/p")] == ["empty", "full"]
        assert read("ls") == read("ls", "me/p")
        status, output, _ = run("ls")
        assert status == 0
        assert [line.split()[:4] for line in output.splitlines()] == [
            ["stack", "state", "tiles", "layers"],
            ["empty", "LOADING", "-", "-"],
            ["full", "COMPLETE", "200", "2"],
        ]

    def test_it_lists_match_collections(self, run, read):
        assert read("ls", "--matches", "/") == ["me"]
        [found] = read("ls", "--matches")
        assert (found["collectionId"]["name"], found["pairCount"]) == ("pairs", 1)

    def test_where_nothing_is_it_says_where_to_look(self, run):
        assert run("ls", "nobody")[1] == "owner 'nobody' has no stacks (renderapi ls / lists the owners)\n"
        assert "renderapi ls me lists projects" in run("ls", "me/none")[1]

    @pytest.mark.parametrize("place", ["a/b/c", "a//b", "//"])
    def test_a_place_that_is_none_is_refused(self, run, place):
        status, _, errors = run("ls", place)
        assert status == 2
        assert f"{place!r} is not OWNER[/PROJECT], nor /" in errors

    def test_the_project_of_the_environment_is_not_that_of_another_owner(self, run):
        assert "owner 'other' has no stacks" in run("ls", "other")[1]


class TestInfo:
    def test_it_says_what_the_server_knows(self, run, read, render):
        status, output, _ = run("info", "me/p/full")
        lines = dict(
            line.split(maxsplit=1) for line in output.splitlines() if not line.startswith("tile size")
        )
        assert status == 0
        assert lines["tiles"] == "200" and lines["layers"] == "2" and lines["state"] == "COMPLETE"
        assert lines["voxel"] == "3 x 3 x 35" and lines["notes"] == "of two layers" and lines["z"] == "0 to 1"
        assert read("info", "full") == renderapi.stack.get_full_stack_metadata("full", render=render)

    def test_a_stack_that_was_never_complete_has_no_counts(self, run):
        assert "not counted before the stack is COMPLETE" in run("info", "empty")[1]

    def test_it_describes_a_match_collection(self, run, read):
        assert read("info", "--matches", "me/pairs")["groupCount"] == 2
        assert run("info", "--matches", "pairs")[1].splitlines()[1:] == [
            "pairs             1", "groups            2"]  # fmt: skip

    def test_a_url_is_an_address(self, read, render, server):
        url = renderapi.render.format_preamble(render.DEFAULT_HOST, render.DEFAULT_PORT, "me", "p", "full")
        assert read("info", url)["state"] == "COMPLETE"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["info", "ful"], "Stacks of me/p: empty, full; did you mean 'full'?"),
            (["info", "me/q/nothing"], "Project me/q has no stacks. Projects: p"),
            (["info", "me/q/full"], "Project me/q has no stacks. Projects: p"),
            (["info", "mee/p/full"], "Owner 'mee' has no stacks here; did you mean 'me'? Owners: me"),
            (["info", "--matches", "pair"], "Match collections of me: pairs; did you mean 'pairs'?"),
            (["info", "--matches", "you/pairs"], "Owner 'you' has no match collections. Owners: me"),
        ],
    )
    def test_a_misspelt_name_is_answered_with_what_there_is(self, run, words, said):
        status, _, errors = run(*words)
        assert status == 1
        assert errors.splitlines()[-1] == said

    def test_a_stack_of_another_project_is_found(self, run, render):
        renderapi.stack.create_stack("lost", project="other", render=render)
        try:
            assert "A stack of that name is elsewhere: me/other/lost" in run("info", "lost")[2]
        finally:
            renderapi.stack.delete_stack("lost", project="other", render=render)


class TestBoxes:
    def test_of_a_stack_of_layers_and_of_tiles(self, run, read, render):
        assert read("boxes", "full") == renderapi.stack.get_stack_bounds("full", render=render)
        layers = read("boxes", "full", "--z", "1", "--z", "0")
        assert layers == [renderapi.stack.get_bounds_from_z("full", z, render=render) for z in (1, 0)]
        tiles = read("boxes", "full", "--z", "0", "--tiles")
        assert tiles == renderapi.stack.get_tilebounds_for_z("full", 0, render=render)
        assert len(run("boxes", "full", "--z", "0", "--tiles")[1].splitlines()) == 101
        assert run("boxes", "full")[1].splitlines()[-1] == "z  0 to 1"

    def test_tiles_need_a_layer(self, run):
        assert run("boxes", "full", "--tiles")[0] == 2


class TestCreate:
    def test_it_makes_a_stack(self, run, render):
        words = ["--resolution", "4", "5", "6", "--notes", "mine", "--cycle", "2", "3"]
        assert run("create", "new", *words) == (0, "made stack me/p/new: it is LOADING\n", "")
        made = renderapi.stack.get_stack_metadata("new", render=render)
        assert (made.stackResolutionX, made.stackResolutionZ, made.versionNotes) == (4.0, 6.0, "mine")
        assert (made.cycleNumber, made.cycleStepNumber) == (2, 3)
        renderapi.stack.delete_stack("new", render=render)

    def test_one_that_exists_is_left_alone_unless_it_is_wanted(self, run, render):
        status, _, errors = run("create", "full")
        assert status == 1
        assert "exists already, it is COMPLETE: nothing was done" in errors
        assert renderapi.stack.get_full_stack_metadata("full", render=render)["currentVersionNumber"] == 0
        renderapi.stack.create_stack("twice", render=render)
        assert run("create", "twice", "--again")[0] == 0
        assert renderapi.stack.get_full_stack_metadata("twice", render=render)["currentVersionNumber"] == 1
        renderapi.stack.delete_stack("twice", render=render)

    def test_a_dry_run_makes_nothing(self, run, render):
        assert run("create", "dry", "--dry-run")[1] == "would make stack me/p/dry\n"
        with pytest.raises(NotFoundError):
            renderapi.stack.get_full_stack_metadata("dry", render=render)


class TestState:
    def test_it_is_shown_and_set(self, run, read, render):
        assert run("state", "full") == (0, "COMPLETE\n", "")
        assert (
            run("state", "full", "READ_ONLY", "--dry-run")[1]
            == "me/p/full would be READ_ONLY (it was COMPLETE)\n"
        )
        assert read("state", "full")["state"] == "COMPLETE"
        assert run("state", "full", "read_only")[1] == "me/p/full is READ_ONLY (it was COMPLETE)\n"
        assert read("state", "full", "COMPLETE") == {
            "stack": "me/p/full", "before": "READ_ONLY", "state": "COMPLETE", "dryRun": False}  # fmt: skip

    def test_tiles_are_not_removed_by_one_word(self, run, read):
        status, _, errors = run("state", "full", "OFFLINE")
        assert status == 2
        assert "--yes" in errors
        assert read("info", "full")["stats"]["tileCount"] == 200

    def test_what_the_server_refuses_is_an_error_with_its_reason(self, run):
        status, _, errors = run("state", "empty", "COMPLETE")
        assert status == 1
        assert "The stack has no tiles" in errors


def test_the_version_of_a_server_is_shown(run, read, monkeypatch):
    document = read("version")
    assert document["version"] == renderapi.__version__
    assert document["server"]["branch"] == "master"
    assert "server             render-ws, branch master" in run("version")[1]
    monkeypatch.delenv("RENDER_HOST")
    assert "server" not in read("version")


class TestWords:
    def test_without_a_word_it_shows_its_verbs(self, run):
        status, output, errors = run()
        assert (status, output) == (2, "")
        assert "usage: renderapi" in errors and "doctor" in errors

    def test_a_misspelt_verb_is_recognized(self, run):
        status, _, errors = run("lss")
        assert status == 2
        assert errors.splitlines()[0] == "usage: renderapi [OPTIONS] VERB [OPTIONS] ..."
        assert "there is no verb 'lss'; did you mean 'ls'?" in errors

    def test_a_misspelt_option_is_recognized(self, run):
        status, _, errors = run("boxes", "full", "--tilse")
        assert status == 2
        usage, said = errors.splitlines()
        assert usage == "usage: renderapi boxes [OPTIONS] STACK"
        assert said.startswith("renderapi boxes: unrecognized arguments: --tilse; did you mean '--tiles'?")

    def test_a_misspelt_state_is_recognized(self, run):
        assert "did you mean 'COMPLETE'?" in run("state", "full", "compleat")[2]

    def test_without_a_server_it_says_how_to_name_one(self, run, monkeypatch):
        monkeypatch.delenv("RENDER_HOST")
        status, _, errors = run("ls")
        assert status == 2
        assert errors.startswith("renderapi ls: which server? Give --url or --host, or set RENDER_HOST")

    @pytest.mark.parametrize(("variable", "said"), [("OWNER", "which owner?"), ("PROJECT", "which project?")])
    def test_a_name_that_is_missing_is_asked_for(self, run, monkeypatch, variable, said):
        monkeypatch.delenv(f"RENDER_{variable}")
        status, _, errors = run("info", "full")
        assert status == 2
        assert said in errors and "OWNER/PROJECT/STACK" in errors

    def test_a_server_that_is_not_there_is_an_error(self, run):
        status, _, errors = run("ls", "--url", "http://127.0.0.1:1", "--retries", "0")
        assert status == 1
        assert "Is the server running" in errors

    def test_one_server_is_named_once(self, run):
        assert run("ls", "--url", "http://127.0.0.1:1", "--host", "x")[0] == 2

    @pytest.mark.parametrize(
        "words", [["--header", "x"], ["--port", "0"], ["--timeout", "-1"], ["--retries", "-1"]]
    )
    def test_settings_that_cannot_be_are_refused(self, run, words):
        assert run("ls", *words)[0] == 2

    def test_settings_reach_the_connection(self, run, monkeypatch):
        given = {}

        def connect(*args, **settings):
            given.update(settings, args=args)
            raise ValueError("seen")

        monkeypatch.setattr(renderapi.render, "connect", connect)
        words = "--host https://h --owner o --project q --verify ca.pem"
        assert (
            run("ls", *words.split(), "--direct", "--timeout", "5", "--total", "9", "--retries", "2")[0] == 1
        )
        port = given.pop("args")[1]
        assert port not in ("", None)
        assert given == {
            "client_scripts": None, "web_only": True, "url": None, "timeout": 5.0, "total": 9.0, "retries": 2,
            "verify": "ca.pem", "direct": True,
        }  # fmt: skip
        run("ls", "--insecure", "--url", "https://h")
        assert (given["verify"], given["url"]) == (False, "https://h")

    def test_a_password_is_asked_for_where_somebody_is_there(self, run, monkeypatch):
        assert "there is nobody to ask" in run("ls", "--user", "me")[2]
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(
            "getpass.getpass", lambda prompt: "secret" if prompt == "password of me: " else ""
        )
        with Loopback(answer(200, b"[]", Content_Type="application/json")) as fake:
            assert run("ls", "/", "--user", "me", "--url", fake.url)[0] == 0
            assert fake.received[0].headers["Authorization"] == f"Basic {b64encode(b'me:secret').decode()}"

    def test_credentials_go_to_the_first_server_only(self, run, render):
        missing = answer(404, b"no", Content_Type="text/plain")
        with Loopback(missing) as first, Loopback(missing) as second:
            urls = [f"{fake.url}/render-ws/v1/owner/o/project/p/stack/s" for fake in (first, second)]
            for words in ([urls[0], urls[1]], [urls[0], f"{urls[0]}2"]):
                assert run("diff", *words, "--user", "a:b", "--header", "X-Token:c")[0] == 1
            assert all({"Authorization", "X-Token"} <= request.headers.keys() for request in first.received)
            assert second.received
            assert not any(
                {"Authorization", "X-Token"} & request.headers.keys() for request in second.received
            )

    def test_addresses(self):
        assert stack("s") == Address("s")
        assert stack("p/s") == Address("s", "p")
        assert stack("o/p/s") == Address("s", "p", "o")
        assert collection("o/c") == Address("c", None, "o", None, True)
        url = "https://em.example.org/lab/render-ws/v1/owner/o/matchCollection/c"
        assert collection(url) == Address("c", None, "o", "https://em.example.org/lab/render-ws/v1", True)

    @pytest.mark.parametrize("text", ["", "a//s", "a/b/c/d", "http://h/render-ws/v1/owner/o/stack/s", "/s"])
    def test_what_is_no_address_is_refused(self, run, text):
        assert run("boxes", text)[0] == 2


def test_help_does_not_wait_for_what_verbs_work_with():
    code = "import sys, renderapi; before = set(sys.modules); from renderapi import cli; cli.parser().format_help()"
    code += "; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = {name for name in done.stdout.split() if not name.startswith("renderapi.cli")}
    assert {"argparse"} <= loaded
    assert not {name for name in loaded if "." in name and name.startswith("renderapi")} | (
        loaded & {"tqdm", "shtab", "flask", "sqlite3", "scipy", "PIL", "difflib", "getpass", "subprocess"}
    )


def test_a_reader_that_goes_is_no_error(server):
    command = f"{sys.executable} -m renderapi boxes me/p/full --z 0 --tiles --url {server.url}"
    done = subprocess.run(
        ["/bin/sh", "-c", f"({command}; echo $? >&2) | true"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "141\n"


def test_ctrl_c_says_what_was_done(run, monkeypatch):
    def interrupted(**settings):
        raise KeyboardInterrupt("ten tiles were stored")

    monkeypatch.setattr(renderapi.render, "get_owners", interrupted)
    assert run("ls", "/") == (130, "", "\nstopped: ten tiles were stored\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_a_shell_learns_the_verbs_and_options(run, shell):
    pytest.importorskip("shtab")
    status, output, _ = run("completion", shell)
    assert status == 0
    assert "boxes" in output and "tiles" in output


def test_bash_completes_verbs_and_options(run, tmp_path):
    pytest.importorskip("shtab")
    script = tmp_path / "renderapi"
    script.write_text(run("completion", "bash")[1])

    def completed(*words):
        code = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        code += "_shtab_renderapi 2>/dev/null; echo ${COMPREPLY[@]}"
        return subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=20).stdout.split()

    assert completed("renderapi", "bo") == ["boxes"]
    assert completed("renderapi", "boxes", "--ti") == ["--tiles", "--timeout"]


def test_completion_without_shtab_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    status, _, errors = run("completion", "bash")
    assert status == 1
    assert 'pip install "render-python[cli]' in errors


def test_every_verb_names_a_function_that_exists():
    commands = next(action for action in cli.parser()._actions if action.choices)
    for name, verb in commands.choices.items():
        functions = verb.get_default("library")
        assert functions or name == "completion"
        for function in functions:
            module, _, attribute = function.rpartition(".")
            __import__(module)
            assert hasattr(sys.modules[module], attribute), function


def test_one_thing_is_not_called_in_the_plural():
    assert [counted(number, "tile specs") for number in (0, 1, 2000)] == [
        "0 tile specs", "1 tile spec", "2,000 tile specs",
    ]  # fmt: skip
