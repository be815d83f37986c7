"""What an installation weighs: site-packages of fresh environments, with render-python 2.4.2 beside, in one run.

``python benchmarks/bench_install.py [EXTRAS ...]`` installs this checkout as ``.``, ``.[server]`` and ``.[all]``, or
with the extras that are named, as pip does it, and prints megabytes (10^6 bytes) on the disk, bytecode included, and
what weighs most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PEER = "render-python==2.4.2"


def weight(folder: Path) -> float:
    """Return the megabytes that the files in a folder take on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 1e6


def installed(what: str, folder: Path) -> Path:
    """Install something into an environment without anything else, and return its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    subprocess.run([*pip, what], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    return packages


def main() -> None:
    extras = sys.argv[1:] or ["", "server", "all"]
    for what in (PEER, *(f"{CHECKOUT}[{extra}]" if extra else str(CHECKOUT) for extra in extras)):
        with tempfile.TemporaryDirectory() as folder:
            packages = installed(what, Path(folder))
            parts = sorted(((weight(part), part.name) for part in packages.iterdir()), reverse=True)
            names = ", ".join(f"{name} {size:.0f}" for size, name in parts[:6])
            print(f"{weight(packages):6.0f} MB  {what.replace(str(CHECKOUT), '.')}: {names}", flush=True)


if __name__ == "__main__":
    main()
