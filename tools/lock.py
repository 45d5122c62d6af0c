"""Compile pyproject.toml's dependencies into pins with hashes: `make lock`. `--check` says whether they still fit.

Compiling needs the standard library only (uv is fetched into .venv/uv). Pins that still fit are kept, unless told
`--upgrade`.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_HOME = ROOT / ".venv" / "uv"
UV = UV_HOME / "bin" / "uv"
UV_PIN = "uv==0.13.9"
# The second one is the first one's pins and more, so that it replaces it.
LOCKS = {
    "requirements.txt": [],
    "requirements-dev.txt": ["--extra", "dev", "-c", "requirements.txt"],
}
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", re.MULTILINE)


def compile_locks(extra: list[str]) -> None:
    if not UV.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", UV_HOME], check=True)
        subprocess.run([UV_HOME / "bin" / "pip", "install", "-q", "--disable-pip-version-check", UV_PIN], check=True)
    for lock, options in LOCKS.items():
        target = ["--universal", "--generate-hashes", "--python-version", "3.11", "--no-header", "-o", lock]
        subprocess.run([UV, "pip", "compile", "-q", *target, *options, *extra, "pyproject.toml"], cwd=ROOT, check=True)


def complaints() -> Iterator[str]:
    """What is wrong with the locks; nothing is resolved, only compared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"requirements.txt": project["dependencies"]}
    wanted["requirements-dev.txt"] = project["dependencies"] + project["optional-dependencies"]["dev"]
    for lock, requirements in wanted.items():
        text = (ROOT / lock).read_text()
        yield from (f"{lock} does not fit {line!r}: make lock" for line in unmet(requirements, text))
        if "://" in text or "index-url" in text:
            yield f"{lock} names an address; a lock holds names, versions and hashes only"
    if missing := set(PIN.findall((ROOT / "requirements.txt").read_text())) - set(PIN.findall(text)):
        yield f"requirements-dev.txt lacks pins of requirements.txt: {sorted(missing)}: make lock"
    if '"resolved"' in (ROOT / "package-lock.json").read_text():
        yield "package-lock.json names addresses (resolved); .npmrc is there to prevent it"


def unmet(requirements: list[str], lock: str) -> Iterator[str]:
    """The requirements for which the lock has no pin, or a pin outside their range."""
    from packaging.requirements import Requirement  # absent where locks are compiled

    pins: dict[str, list[str]] = {}
    for name, version in PIN.findall(lock):
        pins.setdefault(name, []).append(version)
    for line in requirements:
        requirement = Requirement(line)
        versions = pins.get(re.sub(r"[-_.]+", "-", requirement.name).lower(), [])
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            yield line


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(complaints()) or None)
    compile_locks(sys.argv[1:])
