"""What `run_session` calls the files it is given. What it does with them is tests/e2e/test_run_session.py."""

from pathlib import Path

import pytest

from sessions.reading.local_files import artifact_names


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def names(*paths: str) -> list[str]:
    return list(artifact_names(paths).values())


def test_a_file_of_the_working_directory_has_its_place_there_as_name(here: Path) -> None:
    assert names("a.py", "./src/../src/b.py", f"{here}/src/c.py") == ["a.py", "src/b.py", "src/c.py"]


def test_a_file_from_elsewhere_keeps_its_own_name() -> None:
    assert names("/srv/app/x.py", "../y.py") == ["x.py", "y.py"]


def test_files_that_share_a_name_are_told_apart() -> None:
    assert names("/srv/app/x.py", "/srv/lib/x.py", "/srv/z.py") == ["app/x.py", "lib/x.py", "z.py"]


def test_a_file_from_elsewhere_does_not_take_the_name_of_one_that_is_here() -> None:
    assert names("x.py", "/srv/app/x.py") == ["x.py", "app/x.py"]


def test_the_same_file_twice_is_one_name() -> None:
    assert artifact_names(["/srv/x.py", "/srv/../srv/x.py"]) == {"/srv/x.py": "x.py", "/srv/../srv/x.py": "x.py"}


def test_a_directory_has_a_name_too() -> None:
    assert names("/", ".") == ["", "."]
