import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sessions.engine.diffs import diff_rows, parse_diff
from sessions.reading import MAX_BYTES, Unreadable, read_text
from sessions.reading.gitrange import changed_names, read_range

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    monkeypatch.setenv("HOME", str(tmp_path))
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode("utf-8", "replace").strip()

    run("init", "--quiet", "--initial-branch=main")
    return run


@pytest.fixture
def repository(git: Git, tmp_path: Path) -> Path:
    """main: one commit; feature: one more, which changes, adds, removes, renames, and touches a binary file."""
    numbers = [f"line {number}" for number in range(1, 41)]
    write(tmp_path, {"a.txt": lines(numbers), "gone.txt": "bye\n", "dos.txt": "one\r\ntwo\r\n", "i.png": b"\0\1\2",
                     "old name.txt": lines(numbers), "caf\u00e9.txt": "no end", "run.sh": "echo\n"})  # fmt: skip
    git("add", ".")
    git("commit", "--quiet", "--message=one")
    git("switch", "--quiet", "--create", "feature")
    numbers[2:4], numbers[30] = ["-- changed"], "++ changed"
    write(tmp_path, {"a.txt": lines(numbers), "new.txt": "-- \n", "empty.txt": "", "dos.txt": "one\r\n2\r\n",
                     "i.png": b"\0\3", "caf\u00e9.txt": "no end at all"})  # fmt: skip
    git("mv", "old name.txt", "new name.txt")
    git("rm", "--quiet", "gone.txt")
    (tmp_path / "run.sh").chmod(0o755)
    git("add", ".")
    git("commit", "--quiet", "--message=two")
    return tmp_path


def lines(texts: list[str]) -> str:
    return "".join(text + "\n" for text in texts)


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def refused(repository: Path, revisions: str) -> str:
    with pytest.raises(Unreadable) as caught:
        read_range(repository, revisions)
    return caught.value.code


def test_a_range_tells_what_happened_to_each_file(repository: Path) -> None:
    files = {
        file.path: (file.status, file.old_path, file.binary)
        for file in parse_diff(read_range(repository, "main...feature"))
    }
    assert files == {
        "a.txt": ("modified", "a.txt", False),
        "caf\u00e9.txt": ("modified", "caf\u00e9.txt", False),
        "dos.txt": ("modified", "dos.txt", False),
        "empty.txt": ("added", "", False),
        "gone.txt": ("deleted", "gone.txt", False),
        "i.png": ("modified", "i.png", True),
        "new name.txt": ("renamed", "old name.txt", False),
        "new.txt": ("added", "", False),
        "run.sh": ("modified", "run.sh", False),
    }  # fmt: skip


def test_its_line_numbers_are_those_of_the_new_files(repository: Path) -> None:
    shown = {}
    for file in parse_diff(read_text("x.diff", read_range(repository, "main...feature")).text):
        for number, text in file.new_lines.items():
            shown[file.path, number] = text
            assert (repository / file.path).read_text().split("\n")[number - 1] == text
    assert shown["a.txt", 3] == "-- changed"
    assert shown["a.txt", 31] == "++ changed"


def test_its_rows_and_rendered_files_give_the_text_back(repository: Path) -> None:
    diff = read_range(repository, "main...feature")
    assert lines([row.raw for row in diff_rows(diff)]) == diff
    assert "".join(file.render() for file in parse_diff(diff)) == diff


def test_changed_names_are_those_of_the_diff(repository: Path) -> None:
    diff = read_range(repository, "main..feature")
    assert changed_names(repository, "main..feature") == [file.path for file in parse_diff(diff)]


def test_three_dots_leave_out_what_the_base_did_since(repository: Path, git: Git) -> None:
    git("switch", "--quiet", "main")
    write(repository, {"base.txt": "base\n"})
    git("add", ".")
    git("commit", "--quiet", "--message=three")
    assert "base.txt" in changed_names(repository, "main..feature")
    assert "base.txt" not in changed_names(repository, "main...feature")


def test_one_revision_is_compared_with_the_files_as_they_lie_there(repository: Path) -> None:
    write(repository, {"run.sh": "echo changed\n"})
    assert changed_names(repository, "HEAD") == ["run.sh"]


def test_a_missing_side_is_head(repository: Path) -> None:
    assert read_range(repository, "main..") == read_range(repository, "main..HEAD")


def test_the_configuration_cannot_change_the_format(repository: Path, git: Git) -> None:
    before = read_range(repository, "main...feature")
    for name, value in {"diff.noprefix": "true", "color.ui": "always", "diff.context": "0", "diff.external": "false",
                        "diff.renames": "false", "diff.submodule": "log"}.items():  # fmt: skip
        git("config", name, value)
    assert read_range(repository, "main...feature") == before


def test_a_repository_named_by_the_environment_is_ignored(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert changed_names(repository, "main...feature")


@pytest.mark.parametrize(
    "revisions", ["--output=pwned", "main..--output=pwned", "-p", "^main", "main...nope", "a b", "x\0y", "nope..."]
)
def test_what_git_does_not_know_is_refused(repository: Path, revisions: str) -> None:
    assert refused(repository, revisions) == "unknown_revision"
    assert not (repository / "pwned").exists()


def test_a_range_without_change_is_refused(repository: Path) -> None:
    assert refused(repository, "main..main") == "empty_range"


def test_a_folder_without_repository_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere", "HEAD") == "not_a_repository"


def test_histories_without_common_ancestor_are_refused_with_three_dots(repository: Path, git: Git) -> None:
    git("switch", "--quiet", "--orphan", "other")
    git("commit", "--quiet", "--allow-empty", "--message=alone")
    assert refused(repository, "main...other") == "no_merge_base"


def test_a_diff_over_the_limit_is_refused(repository: Path, git: Git) -> None:
    write(repository, {"big.txt": "x" * 99 + "\n" * (MAX_BYTES // 2)})
    git("add", ".")
    git("commit", "--quiet", "--message=big")
    assert refused(repository, "main...feature") == "too_large"


def test_a_machine_without_git_is_told_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "bin").mkdir()
    monkeypatch.setenv("PATH", str(repository / "bin"))
    assert refused(repository, "HEAD") == "git_missing"
