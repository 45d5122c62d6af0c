"""Bringing artifacts in, reading and deleting them."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from crucible_site.models import User
from sessions.models import Artifact, ArtifactVersion, Content, Project, Session
from sessions.views.lines import LINES_SHOWN, WIDEST, shown_lines
from tests import factories
from tests.markup import EVIL, dangers

DIFF = "--- a/pay.py\n+++ b/pay.py\n@@ -10,2 +10,3 @@\n total = 1\n+print(total)\n-print(0)\n+return total\n"


@pytest.fixture
def as_member(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def address(project: Project) -> str:
    return reverse("sessions:artifacts", args=[project.slug])


def file(name: str, content: bytes = b"x = 1\n") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def page_of(client: Client, version: ArtifactVersion, query: str = "") -> str:
    return client.get(reverse("sessions:artifact", args=[version.artifact.code]) + query).content.decode()


def test_one_file_is_kept_and_opened(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"files": file("a.py")})
    assert answer.headers["Location"] == reverse("sessions:artifact", args=[Artifact.objects.get().code])


def test_several_files_are_kept(as_member: Client, address: str) -> None:
    as_member.post(address, {"files": [file("a.py"), file("b.md", b"# B\n")]})
    assert set(Artifact.objects.values_list("name", flat=True)) == {"a.py", "b.md"}


def test_what_cannot_be_read_is_said_per_file_and_the_rest_is_kept(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"files": [file("a.py"), file("e.txt", b" ")]})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "<strong>e.txt</strong>: There is no text in it." in page
    assert Artifact.objects.get().name == "a.py"


def test_pasted_text_is_kept_under_its_name(as_member: Client, address: str) -> None:
    as_member.post(address, {"text": "Clause 1\nPay.\n", "text_name": "contract.md"})
    assert Artifact.objects.get().name == "contract.md"


def test_a_pasted_diff_is_recognised(as_member: Client, address: str) -> None:
    as_member.post(address, {"text": DIFF})
    assert Artifact.objects.get().kind == "diff"


def test_nothing_brought_is_said(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"text": " "})
    assert (answer.status_code, "Choose a file" in answer.content.decode()) == (422, True)


def test_text_that_was_refused_is_still_there(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"text": "words to keep", "text_kind": "nonsense"})
    assert "words to keep</textarea>" in answer.content.decode()


def test_a_reader_brings_nothing(client: Client, viewer: User, address: str) -> None:
    client.force_login(viewer)
    assert client.post(address, {"text": "x"}).status_code == 403


def test_lines_have_their_numbers(as_member: Client, owner: User, project: Project) -> None:
    page = page_of(as_member, factories.artifact(owner, project))
    row = re.search('data-n="3"></td><td class="line">(.*?)</td>', page)
    assert row is not None
    assert strip_tags(row[1]) == "    return charge(total)"
    assert '<span class="k">return</span>' in row[1]


def test_lines_of_a_diff_have_the_numbers_of_the_new_file() -> None:
    rows = shown_lines("diff", DIFF).rows
    assert [row.number for row in rows] == [None, None, None, 10, 11, None, 12]


def test_a_place_in_a_diff_is_marked() -> None:
    marked = [row.text for row in shown_lines("diff", DIFF, marked="pay.py:12").rows if row.marked]
    assert marked == ["+return total"]


@pytest.mark.parametrize(("place", "numbers"), [("pay.py:11-12", [11, 12]), ("pay.py:10-11", [10, 11])])
def test_a_range_in_a_diff_is_marked_whole(place: str, numbers: list[int]) -> None:
    assert [row.number for row in shown_lines("diff", DIFF, marked=place).rows if row.marked] == numbers


def test_a_range_is_marked_whole_and_reached_at_its_first_line() -> None:
    rows = shown_lines("code", "x\n" * 9, marked="3-5").rows
    assert [row.number for row in rows if row.marked] == [3, 4, 5]
    assert [row.number for row in rows if row.first] == [3]


def test_a_range_is_on_the_page_on_which_it_begins() -> None:
    lines = shown_lines("code", "x\n" * (2 * LINES_SHOWN), marked=f"{LINES_SHOWN - 1}-{LINES_SHOWN + 3}")
    assert (lines.first, [row.number for row in lines.rows if row.marked]) == (1, [LINES_SHOWN - 1, LINES_SHOWN])


@pytest.mark.parametrize("place", ["pay.py:1-999999999", "12", "pay.py:", "other.py:10", "pay.py:12-10", "pay.py:٣"])
def test_any_place_shows_a_page(place: str) -> None:
    assert len(shown_lines("diff", DIFF, marked=place).rows) == len(DIFF.splitlines())


def test_a_link_arrives_at_one_element(as_member: Client, owner: User, project: Project) -> None:
    page = page_of(as_member, factories.artifact(owner, project), "?at=2-3")
    assert (page.count('id="at"'), page.count('class="marked"')) == (1, 2)


def test_a_marked_line_is_on_the_page_that_holds_it() -> None:
    lines = shown_lines("code", "x\n" * (3 * LINES_SHOWN), marked=str(LINES_SHOWN + 5))
    assert (lines.first, lines.last, lines.earlier, lines.later) == (
        LINES_SHOWN + 1, 2 * LINES_SHOWN, 1, 2 * LINES_SHOWN + 1,
    )  # fmt: skip


@pytest.mark.parametrize("start", ["", "0", "-1", "x", "99999999", "٣"])
def test_any_page_number_shows_a_page(start: str) -> None:
    assert len(shown_lines("code", "x\n" * 10, start=start).rows) >= 1


def test_a_line_of_a_megabyte_is_cut() -> None:
    (row,) = shown_lines("code", "x" * 1_000_000).rows
    assert (len(row.text), row.cut) == (WIDEST, 1_000_000 - WIDEST)


def test_versions_stay_readable(as_member: Client, owner: User, project: Project) -> None:
    first = factories.artifact(owner, project, "a.txt", "one\n")
    factories.artifact(owner, project, "a.txt", "two\n")
    assert ">two</td>" in page_of(as_member, first)
    assert ">one</td>" in page_of(as_member, first, "?version=1")


@pytest.mark.parametrize("number", ["9", "x", "-1", "9" * 30])
def test_a_version_that_is_not_there_is_not_found(
    number: str, as_member: Client, owner: User, project: Project
) -> None:
    artifact = factories.artifact(owner, project).artifact
    answer = as_member.get(reverse("sessions:artifact", args=[artifact.code]) + f"?version={number}")
    assert answer.status_code == 404


def test_a_download_is_a_file_and_nothing_a_browser_runs(as_member: Client, owner: User, project: Project) -> None:
    artifact = factories.artifact(owner, project, name='a"b<script>.html', text="<script>alert(1)</script>\n").artifact
    answer = as_member.get(reverse("sessions:download", args=[artifact.code]))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("words", EVIL)
def test_names_and_texts_are_inert(words: str, as_member: Client, owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, name=f"{words}.py", text=f"{words}\n")
    page = page_of(as_member, version)
    assert dangers(page) == []
    assert dangers(as_member.get(reverse("sessions:artifacts", args=[project.slug])).content.decode()) == []
    assert "<hx-partial" not in page


def test_what_is_not_inert_would_be_noticed() -> None:
    assert [bool(dangers(words)) for words in EVIL[:4]] == [True, True, False, True]
    assert dangers(EVIL[5]) == ["a href=javascript:alert(1)"]


def test_template_syntax_in_a_text_is_shown_as_it_is(as_member: Client, owner: User, project: Project) -> None:
    page = page_of(as_member, factories.artifact(owner, project, "a.txt", "{{ 7|add:7 }} {% now 'Y' %}\n"))
    assert "{{ 7|add:7 }}" in page


def test_deleting_says_which_reviews_lose_their_words(client: Client, owner: User, reviewed: Session) -> None:
    client.force_login(owner)
    artifact = reviewed.sources.get().version.artifact
    address = reverse("sessions:delete_artifact", args=[artifact.code])
    assert f"what instances wrote in the review {reviewed.title}" in client.get(address).content.decode()
    client.post(address)
    assert not Content.objects.filter(session=reviewed, erased_at=None).exclude(kind="brief").exists()
    assert client.get(reverse("sessions:artifact", args=[artifact.code])).status_code == 404
