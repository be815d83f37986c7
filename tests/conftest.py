"""What every test runs under: no settings of the machine, no network but this machine's own."""

import ipaddress
import os
import signal
import socket
from pathlib import Path

import pytest
from leaks import Leaks

try:
    import hypothesis
except ModuleNotFoundError:
    pass
else:
    # how long an example takes is the affair of the machine
    hypothesis.settings.register_profile("no deadline", deadline=None)
    hypothesis.settings.load_profile("no deadline")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts its background jobs so, and their children inherit it: tests of Ctrl-C would wait for ever
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at its options
def pytest_cmdline_main(config):
    """Share the whole suite out to several processes, each file to one of them, unless -n says otherwise."""
    # what is started by one of these processes, such as itself, must not share out anything again
    inside = "PYTEST_XDIST_WORKER" in os.environ
    whole = config.args_source is config.ArgsSource.TESTPATHS and not config.option.keyword
    processes = min(os.cpu_count() or 1, 4)
    if (
        whole and not inside and processes > 1 and config.pluginmanager.hasplugin("xdist")
        # which has to know it sooner
        and not getattr(config.option, "cov_source", None)
        and config.option.numprocesses is None and not (config.option.usepdb or config.option.collectonly)
    ):  # fmt: skip
        config.option.numprocesses, config.option.dist = processes, "loadfile"


def pytest_configure(config):
    """Have modules judged by what they leave behind, where that can be seen."""
    if Path("/proc/self/fd").exists():
        config.pluginmanager.register(Leaks())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Take away the connection settings, proxies and credentials of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("RENDER_", "DEFAULT_RENDER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", os.devnull)


def _is_here(host):
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def loopback_only():
    """Refuse connections to other machines, and to look up their names."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise OSError(f"tests do not connect to {address}")
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        if not _is_here(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests do not look up {host}")
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield
