"""Everything that can be said about the code without running it: `make check`."""

import os
import subprocess
import sys
import tempfile
import time

CHECKS = {
    "lint": ["-m", "ruff", "check"],
    "format": ["-m", "ruff", "format", "--check"],
    "locks": ["-m", "tools.lock", "--check"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    "types": ["-m", "mypy"],
    "django": ["manage.py", "check", "--fail-level", "WARNING"],
    "migrations": ["manage.py", "makemigrations", "--check", "--dry-run", "crucible_sessions", "crucible_site"],
}
HINTS = {"lint": ".venv/bin/ruff check --fix", "format": ".venv/bin/ruff format"}


def passes(name: str, environment: dict[str, str]) -> bool:
    started = time.perf_counter()
    result = subprocess.run([sys.executable, *CHECKS[name]], env=environment, capture_output=True, text=True)
    mark = "ok" if result.returncode == 0 else "FAILED"
    print(f"  {name:<12}{time.perf_counter() - started:>5.1f} s  {mark}", flush=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
        if name in HINTS:
            print(f"Most of this is mended by: {HINTS[name]}\n", flush=True)
    return result.returncode == 0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="crucible-") as data:
        environment = os.environ | {"CRUCIBLE_DATA_DIR": data}
        results = [passes(name, environment) for name in CHECKS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
