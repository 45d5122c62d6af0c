"""Run the tests on SQLite, in Chromium, and on PostgreSQL where a database matters: `make test`. Arguments go to
pytest.

Services that cannot be had here are named at the end; the tests that need them skip themselves.
"""

import contextlib
import os
import sys
import tempfile

from tools.services import exit_on_sigterm, run_python, start_all

NO_TESTS_COLLECTED = 5
# The developer's own installation must not leak into the tests.
OURS = ("DATABASE_URL", "REDIS_URL", "CRUCIBLE_")
# A browser's driver keeps an event loop running, which async tests of the same process cannot have.
IN_PROCESS, IN_BROWSER = ["-m", "not browser"], ["-m", "browser"]
# What no database server can change: the first pass has run it.
ONLY_ONCE = ["tests/engine", "tests/providers", "tests/architecture", "tests/e2e"]
CORES = os.cpu_count() or 1


def main(arguments: list[str]) -> int:
    exit_on_sigterm()
    with contextlib.ExitStack() as stack:
        found, missing = start_all(stack, durable=False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | found
        environment["CRUCIBLE_DATA_DIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="crucible-"))
        # A chosen subset ends before other processes would have started.
        spread = [] if arguments else ["--dist=loadfile", f"--numprocesses={CORES}"]
        # A browser waits more than it computes, but one that is starved is slow enough to fail its test: fewer at once,
        # and a test that failed is tried again, which is said at the end.
        few = ["--dist=loadfile", f"--numprocesses={max(1, CORES // 2)}", "--reruns=1", "-rR"]
        browsers = [] if arguments else few
        codes = [run_pass("SQLite", environment, [*IN_PROCESS, *spread, *arguments])]
        if codes[0] in (0, 1, NO_TESTS_COLLECTED):
            codes.append(run_pass("Chromium", environment, [*IN_BROWSER, *browsers, *arguments]))
            if "PostgreSQL" not in missing:
                environment["DATABASE_URL"] = found["CRUCIBLE_TEST_POSTGRES_URL"]
                left_out = [f"--ignore={path}" for path in ONLY_ONCE]
                codes.append(run_pass("PostgreSQL", environment, [*IN_PROCESS, *left_out, *spread, *arguments]))
    for name, why in missing.items():
        print(f"Skipped {'the pass on' if name == 'PostgreSQL' else 'what needs'} {name}: {why}")
    return verdict(codes)


def run_pass(place: str, environment: dict[str, str], arguments: list[str]) -> int:
    print(f"\n== tests on {place}", flush=True)
    return run_python(["-m", "pytest", *arguments], environment)


def verdict(codes: list[int]) -> int:
    """A chosen subset may have no test for one of the passes, but not for both."""
    failures = [code for code in codes if code not in (0, NO_TESTS_COLLECTED)]
    if failures:
        return failures[0]
    return 0 if 0 in codes else NO_TESTS_COLLECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
