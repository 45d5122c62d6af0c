"""Bring .venv up to date, then become a command in it: `bootstrap.py [--dev] ARGUMENTS-OF-PYTHON...`.

Runs before anything is installed: standard library only. When .venv is current this costs one hash of the lock.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def timed(label: str, step: Callable[[], None]) -> None:
    print(f"  {label:<12}", end="", flush=True)
    started = time.perf_counter()
    step()
    print(f"{time.perf_counter() - started:5.1f} s", flush=True)


def make_venv() -> None:
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV]).returncode:
        sys.exit(f"\nThis Python ({sys.executable}) could not make {VENV}; its own words are above.")


def install(lock: Path) -> None:
    """Install the pins; a package without a ready wheel for this platform is built from its source."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--require-hashes", "-r", str(lock)]
    from_wheels = subprocess.run([*pip, "--only-binary", ":all:"], capture_output=True)
    if from_wheels.returncode and subprocess.run(pip).returncode:
        sys.exit(f"\npip could not install {lock.name}; its own words are above. Is the network reachable?")


def prepare(lock: Path) -> None:
    # Running from another Python means find_python.sh found no usable .venv.
    if Path(sys.prefix).resolve() != VENV.resolve():
        timed("venv", make_venv)
    stamp = VENV / f"{lock.name}.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        timed("packages", lambda: install(lock))
        stamp.write_text(digest)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    is_dev = arguments[0] == "--dev"
    os.chdir(ROOT)
    prepare(ROOT / ("requirements-dev.txt" if is_dev else "requirements.txt"))
    os.execv(PYTHON, [str(PYTHON), *arguments[is_dev:]])
