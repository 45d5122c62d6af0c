"""A range of a Git repository as unified diff text, through the git program.

What a person typed never reaches `git diff`: revisions are first resolved to commit ids. External diff and textconv
programs are not run, the repository's configuration cannot change the format, and Git's own check of who owns the
repository stays on.
"""

import os
import subprocess
import threading
from pathlib import Path

from sessions.engine.names import clean_name
from sessions.reading import MAX_BYTES, Unreadable, megabytes

GIT_SECONDS = 30
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--submodule=short",
         "--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0", "--find-renames")  # fmt: skip


def read_range(repository: Path, revisions: str) -> str:
    """The diff of "BASE...HEAD" (since they parted), "BASE..HEAD", or "REV" (against the files as they lie there).

    A missing side means HEAD. Raises Unreadable: git_missing, not_a_repository, unknown_revision, no_merge_base,
    empty_range, too_large, git_failed.
    """
    diff = _diff(repository, revisions)
    if not diff:
        raise Unreadable("empty_range")
    return diff


def changed_names(repository: Path, revisions: str) -> list[str]:
    """Paths of the files in the diff that `read_range` reads, none when nothing changed; raises as it does."""
    return [clean_name(name) for name in _diff(repository, revisions, "--name-only", "-z").split("\0") if name]


def _diff(repository: Path, revisions: str, *options: str) -> str:
    code, output = _git(repository, *_DIFF, *options, *_resolve(repository, revisions), "--")
    if len(output) > MAX_BYTES:
        raise Unreadable("too_large", size=f"more than {megabytes(MAX_BYTES)}", limit=megabytes(MAX_BYTES))
    if code:
        raise Unreadable("git_failed", seconds=GIT_SECONDS)
    return output.decode("utf-8", "replace")


def _resolve(repository: Path, revisions: str) -> list[str]:
    """The commit ids that `git diff` compares."""
    if not _ask(repository, "rev-parse", "--git-dir"):
        raise Unreadable("not_a_repository")
    dots = "..." if "..." in revisions else ".."
    commits = [_commit(repository, side.strip() or "HEAD") for side in revisions.split(dots, 1)]
    if dots == "...":
        commits[0] = _ask(repository, "merge-base", *commits)
    if not commits[0]:
        raise Unreadable("no_merge_base")
    return commits


def _commit(repository: Path, revision: str) -> str:
    """The id of one commit. Git would take a name that begins with "-" for an option, with "^" for an exclusion."""
    commit = ""
    if revision.isprintable() and not revision.startswith(("-", "^")):
        commit = _ask(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise Unreadable("unknown_revision", revision=clean_name(revision))
    return commit


def _ask(repository: Path, *arguments: str) -> str:
    """The one line git answers, or "" when it refuses."""
    code, output = _git(repository, *arguments)
    return "" if code else output.decode("utf-8", "replace").strip()


def _git(repository: Path, *arguments: str) -> tuple[int, bytes]:
    """Exit code and at most MAX_BYTES + 1 bytes of output; git is killed when there is more or time is up."""
    # Inside a Git hook, GIT_DIR and its kin would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", str(repository), "-c", "core.fsmonitor=false", *arguments]
    try:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise Unreadable("git_missing") from error
    timer = threading.Timer(GIT_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    with process:
        assert process.stdout is not None
        output = process.stdout.read(MAX_BYTES + 1)
        if len(output) > MAX_BYTES:
            process.kill()
    timer.cancel()
    return process.returncode, output
