"""Folders and archives: what is read of them, what is passed over and why."""

import random

import pytest

from sessions.reading import IGNORED, Refusal, read_many
from sessions.reading.several import MAX_FILES
from tests.files import archive, pdf


def names(items: list[tuple[str, bytes]]) -> list[str]:
    return [readable.name for readable in read_many(items)[0]]


def passed_over(items: list[tuple[str, bytes]]) -> dict[str, str]:
    return {refusal.name: refusal.code for refusal in read_many(items)[1]}


def only(items: list[tuple[str, bytes]]) -> Refusal:
    (refusal,) = read_many(items)[1]
    return refusal


def test_files_of_a_folder_keep_their_places() -> None:
    assert names([("app/a.py", b"a = 1\n"), ("app/lib/b.py", b"b = 2\n")]) == ["app/a.py", "app/lib/b.py"]


@pytest.mark.parametrize(
    ("path", "name", "code"),
    [
        ("app/node_modules/left/index.js", "app/node_modules", "vendored"),
        ("app/.git/HEAD", "app/.git", "vendored"),
        ("app/package-lock.json", "app/package-lock.json", "lock_file"),
        ("app/Cargo.lock", "app/Cargo.lock", "lock_file"),
        ("app/static/site.min.js", "app/static/site.min.js", "generated"),
        ("app/logo.png", "app/logo.png", "media"),
        ("app/.DS_Store", "app/.DS_Store", "clutter"),
        ("app/raw.dat", "app/raw.dat", "binary"),
        ("app/empty.py", "app/empty.py", "empty"),
    ],
)
def test_what_a_folder_holds_besides_is_passed_over_with_its_reason(path: str, name: str, code: str) -> None:
    refusal = only([(path, bytes(range(256)) if code == "binary" else b"")])
    assert (refusal.name, refusal.code, refusal.ignored, bool(refusal.sentence)) == (name, code, True, True)


def test_a_directory_of_others_code_is_named_once() -> None:
    items = [(f"app/vendor/{number}.go", b"package x") for number in range(300)]
    assert passed_over(items) == {"app/vendor": "vendored"}


def test_a_file_that_was_brought_alone_is_never_passed_over_silently() -> None:
    refusal = only([("logo.png", b"\x89PNG\r\n\x1a\n")])
    assert (refusal.code, refusal.ignored) == ("unsupported_format", False)


def test_a_lock_file_brought_alone_is_read() -> None:
    assert names([("poetry.lock", b"[[package]]\nname = 'x'\n")]) == ["poetry.lock"]


def test_files_beyond_the_count_are_told_together() -> None:
    items = [(f"app/{number}.py", b"a = 1\n") for number in range(MAX_FILES + 300)]
    refusal = only(items)
    assert (refusal.name, refusal.code, refusal.ignored) == ("300 more files", "too_many_files", False)


# --- archives ------------------------------------------------------------------------------------------------------


def test_an_archive_is_unpacked() -> None:
    packed = archive({"a.py": "a = 1\n", "docs/b.md": "# B\n", "offer.pdf": pdf("Words")})
    assert names([("all.zip", packed)]) == ["a.py", "docs/b.md", "offer.pdf"]


def test_the_directory_around_everything_is_left_out() -> None:
    packed = archive({"shop-1f3c/a.py": "a = 1\n", "shop-1f3c/lib/b.py": "b = 1\n", "shop-1f3c/go.sum": "x"})
    assert (names([("shop.zip", packed)]), passed_over([("shop.zip", packed)])) == (
        ["a.py", "lib/b.py"],
        {"go.sum": "lock_file"},
    )


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../../etc/passwd", "unsafe_path"),
        ("/etc/passwd", "unsafe_path"),
        ("C:/x.py", "unsafe_path"),
        ("a\\..\\..\\x.py", "unsafe_path"),
        ("/".join("abcdefghijklmnopqrstuvwxyz"), "too_deep"),
        ("inner.zip", "nested_archive"),
        ("node_modules/x.js", "vendored"),
    ],
)
def test_an_entry_that_is_not_read_is_named_with_its_reason(path: str, code: str) -> None:
    packed = archive({"a.py": "a = 1\n", path: "x = 1\n"})
    assert code in passed_over([("a.zip", packed)]).values()
    assert names([("a.zip", packed)]) == ["a.py"]


def test_a_link_in_an_archive_is_not_followed() -> None:
    packed = archive({"a.py": "a = 1\n"}, links={"b.py": "/etc/passwd"})
    assert passed_over([("a.zip", packed)]) == {"b.py": "link"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({f"{number}.txt": "x" for number in range(5_001)}, "zip_too_many"),
        ({"bomb.txt": bytes(15_000_000)}, "zip_bomb"),
        ({f"{number}.txt": random.Random(number).randbytes(4_000_000).hex() for number in range(3)}, "zip_too_large"),
        ({"node_modules/x.js": "x"}, "zip_empty"),
    ],
)
def test_an_archive_beyond_a_limit_is_refused_as_a_whole(files: dict[str, bytes | str], code: str) -> None:
    refusal = only([("a.zip", archive(files))])
    assert (refusal.name, refusal.code, refusal.ignored) == ("a.zip", code, False)


def test_a_broken_archive_is_refused() -> None:
    assert only([("a.zip", archive({"a.py": "a = 1\n"})[:40])]).code == "damaged"


def test_every_reason_to_pass_over_is_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in IGNORED.values())
