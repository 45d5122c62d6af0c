"""The page of one session: what it shows in each state, its live fragments, its buttons."""

import gc
import re
import weakref
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings as actions
from sessions.actions.errors import Refused
from sessions.models import Event, Project, Session
from sessions.views.artifact_pane import WINDOW
from sessions.views.base import render
from sessions.views.matrix import COLUMNS_SHOWN
from sessions.views.paint import painted
from sessions.views.parts import BUTTONS, PARTS, TOUCHED
from sessions.views.timeline import ANNOUNCED, SENTENCES
from tests import factories
from tests.markup import EVIL, dangers


@pytest.fixture
def as_owner(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def page_of(client: Client, session: Session, query: str = "") -> str:
    return client.get(reverse("sessions:detail", args=[session.code]) + query).content.decode()


def without_tokens(page: str) -> str:
    """Without what guards forms against other sites, which is new in every answer."""
    return re.sub(r'(name="csrfmiddlewaretoken" value=")[^"]+', r"\1", page)


def live(client: Client, session: Session, after: int | str) -> Any:
    return client.get(reverse("sessions:live", args=[session.code]) + f"?after={after}", headers={"HX-Request": "true"})


def last_seq(session: Session) -> int:
    return Event.objects.filter(session=session).order_by("-seq").values_list("seq", flat=True)[0]


def press(client: Client, session: Session, action: str) -> Any:
    return client.post(reverse(f"sessions:{action}", args=[session.code]))


def test_a_finished_review_says_who_answered_and_what_was_found(as_owner: Client, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed)
    for words in ("Completed", "2 of 3 answered: C timed out", "F-001", "Float money", "Prints", "Fix <a"):
        assert words in page


def test_a_finding_shows_each_wording_and_leads_to_its_line(as_owner: Client, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed, "?f=F-001")
    artifact = reviewed.sources.get().version.artifact
    assert f"{reverse('sessions:artifact', args=[artifact.code])}?version=1&amp;at=2#at" in page
    assert "A-1 · Critical" in page
    assert "B-1 · Major" in page
    assert "Found in the artifact" in page


def test_a_finding_of_several_lines_leads_to_all_of_them(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(start_line=2, end_line=3))
    factories.merge(session, ("major", ["A-1"]))
    assert "&amp;at=2-3#at" in page_of(as_owner, session, "?f=F-001")


def test_an_instance_shows_its_name_model_role_and_cost(as_owner: Client, reviewed: Session) -> None:
    row = page_of(as_owner, reviewed).partition('<tr id="seat-A"')[2].partition("</tr>")[0]
    for words in ("Seat 1", "<code>demo/atlas</code>", "&lt;$0.0001"):
        assert words in row
    assert '<strong>Seat 1</strong> <span class="quiet">Lead' in page_of(as_owner, reviewed)


def test_simulated_is_said(as_owner: Client, reviewed: Session) -> None:
    assert "Simulated: no model read this file." in page_of(as_owner, reviewed)


@pytest.mark.parametrize(("part", "end"), [("head", "</header>"), ("timeline", "</section>")])
def test_beside_costs_of_demo_models_stands_that_nothing_is_charged(
    part: str, end: str, as_owner: Client, reviewed: Session
) -> None:
    page = page_of(as_owner, reviewed, "?tab=timeline")
    assert "othing is charged" in page.partition(f'id="{part}"')[2].partition(end)[0]


def test_a_review_by_real_models_is_not_called_simulated(as_owner: Client, owner: User, project: Project) -> None:
    factories.real_model()
    session = factories.draft(owner, project, seats=factories.seats("lab/large"))
    assert "imulated" not in page_of(as_owner, session).replace("unless simulated", "")


def test_an_unknown_price_is_said(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.ask(session, "A", "review/a", cost=None)
    assert "price unknown for some models" in page_of(as_owner, session)


def test_a_server_of_ones_own_is_said_to_have_no_price(as_owner: Client, owner: User, project: Project) -> None:
    factories.real_model()
    session = factories.running(owner, project, seats=factories.seats("lab/large"))
    factories.ask(session, "A", "review/a", cost=None)
    page = page_of(as_owner, session)
    assert ("no price known (own server)" in page, "at least $" in page) == (True, False)


def test_a_draft_offers_to_start(as_owner: Client, owner: User, project: Project) -> None:
    page = page_of(as_owner, factories.draft(owner, project))
    assert "Nothing was asked yet." in page
    assert "Start</button>" in page


def test_what_arrives_is_shown_before_it_is_merged(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "B", factories.report(title="Early bird"))
    page = page_of(as_owner, session)
    assert "Arriving, not merged" in page
    assert "Early bird" in page


def test_in_a_stopped_review_nothing_arrives_and_nobody_thinks(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "B", factories.report())
    session.participants.filter(letter="A").update(state="thinking")
    press(as_owner, session, "stop")
    page = page_of(as_owner, session)
    assert "Raised, not merged" in page
    assert "Stopped</span>" in page
    assert "Thinking</span>" not in page


def test_no_findings_is_an_answer_that_names_who_gave_it(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A")
    factories.merge(session)
    page = page_of(as_owner, factories.finish(session))
    assert "No instance found a problem" in page


def test_a_failed_review_says_why_and_what_next(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.lose(session, "A", "no_key")
    page = page_of(as_owner, factories.finish(session, status="failed", reason="no_answers"))
    assert "No instance gave a usable answer." in page
    assert "This model has no key. Add a key to its provider." in page
    assert "Retry</button>" in page


def test_what_the_cap_does_not_count_is_named(as_owner: Client, owner: User, project: Project) -> None:
    own = factories.real_model("own/model", base_url="http://127.0.0.1:9/v1").pk
    says = "No price is known for own/model, on a server of your own: the cap counts what the others cost."
    seats = factories.seats(own)
    assert says in page_of(as_owner, factories.draft(owner, project, seats=seats, hard_cap=1))
    assert "No price is known" not in page_of(as_owner, factories.draft(owner, project, seats=seats))


def test_a_cap_that_was_reached_names_the_way_on(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project, soft_cap=1_000_000)
    Session.objects.filter(pk=session.pk).update(status="waiting", waiting_for="cap")
    page = page_of(as_owner, session)
    assert "soft cap of $0.0010" in page
    assert "Continue</button>" in page


def test_a_review_that_everybody_answered_has_nothing_to_retry(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    for letter in "ABC":
        factories.submit(session, letter)
    assert "Retry</button>" not in page_of(as_owner, factories.finish(session))


def test_the_page_says_what_each_instance_read_and_examined(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", in_part=True, read_lines=0, examined="The payment path.\nNot examined: tests")
    factories.submit(session, "B")
    page = page_of(as_owner, factories.finish(session))
    assert "Read no whole line of 1,000 of pay.py." in page
    assert "Not examined: tests" in page
    assert page.count("What it says it examined") == 1


def test_a_reader_has_no_buttons(client: Client, viewer: User, owner: User, project: Project) -> None:
    client.force_login(viewer)
    page = page_of(client, factories.draft(owner, project))
    assert "Start</button>" not in page
    assert "Delete…" not in page


def test_erased_words_are_called_erased(as_owner: Client, reviewed: Session) -> None:
    artifact = reviewed.sources.get().version.artifact
    as_owner.post(reverse("sessions:delete_artifact", args=[artifact.code]))
    page = page_of(as_owner, reviewed, "?f=F-001")
    assert "Its words were erased." in page
    assert "No text to show" in page
    assert "Float money" not in page


@pytest.mark.parametrize("words", EVIL)
def test_words_of_people_and_models_are_inert(words: str, as_owner: Client, owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, name=f"{words}.py", text=f"{words}\n")
    session = factories.running(owner, project, version, title=words, brief=words)
    evil = factories.report(title=words, claim=words, evidence=words, suggestion=words, category=words, path=words)
    factories.submit(session, "A", evil)
    arriving = page_of(as_owner, session) + live(as_owner, session, 0).content.decode()
    factories.merge(session, ("major", ["A-1"]))
    factories.summarise(session, "A", words)
    actions.comment(Actor(owner), session, 1, words)
    factories.finish(session)
    page = (
        page_of(as_owner, session)
        + page_of(as_owner, session, "?f=F-001")
        + page_of(as_owner, session, "?tab=timeline")
    )
    assert dangers(arriving + page) == []
    assert "<hx-partial" not in page


@pytest.mark.parametrize("words", EVIL)
def test_what_the_address_says_is_inert(words: str, as_owner: Client, reviewed: Session) -> None:
    names = ("f", "severity", "by", "disposition", "only", "q", "file", "start", "tab")
    for query in [*(urlencode({name: words}) for name in names), urlencode(dict.fromkeys(names, words))]:
        page = page_of(as_owner, reviewed, f"?{query}")
        assert dangers(page) == []
        assert words not in page or words == EVIL[-1]


def test_finding_numbers_in_a_summary_are_links_and_the_rest_is_text(
    as_owner: Client, owner: User, project: Project
) -> None:
    session = factories.running(owner, project)
    factories.summarise(session, "A", "<b>F-001</b>")
    assert '&lt;b&gt;<a href="?f=F-001" data-f="F-001">F-001</a>&lt;/b&gt;' in page_of(
        as_owner, factories.finish(session)
    )


def of_many(owner: User, project: Project, count: int) -> Session:
    session = factories.running(owner, project)
    factories.submit(session, "A", *(factories.report(title=f"T{number}") for number in range(count)))
    factories.merge(session, *(("minor", [f"A-{number}"]) for number in range(1, count + 1)))
    return factories.finish(session)


@pytest.mark.parametrize("query", ["", "?f=F-002", "?by=A&q=T1", "?tab=timeline"])
@pytest.mark.parametrize("count", [2, 200])
def test_any_number_of_findings_costs_twelve_queries(
    count: int, query: str, as_owner: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    session = of_many(owner, project, count)
    with django_assert_max_num_queries(12):
        page_of(as_owner, session, query)


def test_five_hundred_findings_are_listed_and_some_have_a_column(
    as_owner: Client, owner: User, project: Project
) -> None:
    page = page_of(as_owner, of_many(owner, project, 500), "?f=F-500")
    assert page.count('class="row finding-row') == 500
    assert page.count("seen-head") == COLUMNS_SHOWN
    assert f"and {500 - COLUMNS_SHOWN} more" in page


# --- choosing


def test_the_finding_of_the_address_is_open_and_marked_in_list_and_text(as_owner: Client, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed, "?f=F-002")
    assert 'data-finding="F-002"' in page
    assert re.search(r'id="F-002"[^>]*aria-current="true"', page)
    assert '<tr id="R5" class="at marked" data-in="F-002">' in page


def test_a_finding_that_is_not_there_is_said(as_owner: Client, reviewed: Session) -> None:
    assert "There is no F-099 here." in page_of(as_owner, reviewed, "?f=F-099")


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("severity=critical", ["F-001"]),
        ("by=B", ["F-001", "F-002"]),
        ("by=A", ["F-001"]),
        ("only=once", ["F-002"]),
        ("only=unverified", []),
        ("disposition=to_fix", ["F-002"]),
        ("q=FLOAT", ["F-001"]),
        ("q=f-002", ["F-002"]),
        ("severity=critical&q=prints", []),
    ],
)
def test_filters_stand_in_the_address(
    query: str, listed: list[str], as_owner: Client, owner: User, reviewed: Session
) -> None:
    actions.decide(Actor(owner), reviewed, 2, "to_fix")
    page = page_of(as_owner, reviewed, f"?{query}")
    assert re.findall(r'<a class="row finding-row[^>]* id="(F-\d+)"', page) == listed
    assert ("No finding matches" in page) == (not listed)


def test_a_row_shows_who_raised_it_and_what_became_of_it(as_owner: Client, owner: User, reviewed: Session) -> None:
    actions.decide(Actor(owner), reviewed, 1, "to_fix")
    row = page_of(as_owner, reviewed).partition('id="F-001"')[2].partition("</a>")[0]
    assert re.findall(r'<span class="mono mono-(\w)" title="Instance \w">', row) == ["A", "B"]
    assert '<span class="tag tag-to_fix" title="">To fix</span>' in row


def test_a_link_to_a_finding_keeps_the_filter(as_owner: Client, reviewed: Session) -> None:
    assert 'href="?by=B&amp;f=F-001"' in page_of(as_owner, reviewed, "?by=B")


def test_panes_are_what_the_page_shows_and_the_text_is_not_sent_twice(as_owner: Client, reviewed: Session) -> None:
    address = reverse("sessions:panes", args=[reviewed.code])
    whole = page_of(as_owner, reviewed, "?f=F-001")
    key = re.findall(r'data-key="([^"]+)"', whole)[0]
    first = as_owner.get(f"{address}?f=F-001").content.decode()
    second = as_owner.get(f"{address}?f=F-001&shown={key}&want=list").content.decode()
    assert re.findall(r'hx-target="#(\w+)"', first) == ["detail", "artifact"]
    assert re.findall(r'hx-target="#(\w+)"', second) == ["list", "detail"]
    assert without_tokens(second).partition('<aside id="detail"')[2].partition("</aside>")[0] in without_tokens(whole)


# --- texts


def test_a_text_of_twenty_thousand_lines_is_shown_around_the_finding(
    as_owner: Client, owner: User, project: Project
) -> None:
    version = factories.artifact(owner, project, "long.py", "x = 1\n" * 20_000)
    session = factories.running(owner, project, version)
    factories.submit(session, "A", factories.report(start_line=13_000, end_line=13_001, path="long.py"))
    factories.merge(session, ("major", ["A-1"]))
    page = page_of(as_owner, session, "?f=F-001")
    assert page.count('<tr id="R') == WINDOW
    assert 'id="R13000" class="at marked"' in page
    assert "Rows 12,001 to 15,000 of 20,000" in page
    assert page_of(as_owner, session, "?start=19999").count('<tr id="R') == 2


def test_a_diff_is_shown_as_a_diff_with_the_lines_of_the_new_file(
    as_owner: Client, owner: User, project: Project
) -> None:
    diff = "--- a/pay.py\n+++ b/pay.py\n@@ -10,2 +10,3 @@\n total = 1\n+print(total)\n-print(0)\n+return total\n"
    session = factories.running(owner, project, factories.artifact(owner, project, "c.diff", diff))
    factories.submit(session, "A", factories.report(start_line=11, end_line=12, path="pay.py"))
    factories.merge(session, ("major", ["A-1"]))
    page = page_of(as_owner, session, "?f=F-001")
    assert '<tr id="R5" class="added at marked" data-in="F-001">' in page
    assert '<tr id="R6" class="removed">' in page
    assert '<tr id="R7" class="added at marked" data-in="F-001">' in page


def test_a_document_reads_in_the_direction_of_its_words(as_owner: Client, owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, "lease.md", "# סעיף 1\n\nהתשלום.\n")
    session = factories.running(owner, project, version, title="חוזה")
    page = page_of(as_owner, session)
    assert '<h3 dir="auto" class="doc-h1"><span id="R1">סעיף 1</span></h3>' in page
    assert '<p dir="auto"><span id="R3">התשלום.</span></p>' in page
    assert '<h1 dir="auto">חוזה</h1>' in page


def test_of_several_texts_one_is_shown_and_the_others_are_a_click_away(
    as_owner: Client, owner: User, project: Project
) -> None:
    versions = [factories.artifact(owner, project, name, f"_{name[0]}_\n") for name in ("a.py", "b.py")]
    session = factories.running(owner, project, *versions)
    assert ">_a_<" in page_of(as_owner, session)
    other = page_of(as_owner, session, f"?file={versions[1].pk}")
    assert ">_b_<" in other
    assert ">_a_<" not in other


def test_every_line_is_there_whatever_the_language_makes_of_it(as_owner: Client, owner: User, project: Project) -> None:
    for name in ("a.py", "a.js", "a.html", "a.unknown", "a.json", "Makefile"):
        lines = painted(name, '"""\n<b>\n\tif x:\n\n')
        assert len(lines) == 5
        assert "<b>" not in "".join(lines)


def test_what_arrives_lands_at_its_line(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "B", factories.report(title="Early bird", start_line=3, end_line=3))
    row = page_of(as_owner, session).partition('<tr id="R3"')[2].partition("</tr>")[0]
    assert "mark arriving sev-major" in row
    assert "Early bird" in row


# --- alone and together


def test_an_instance_that_is_asked_again_says_when(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    retry = {"letter": "C", "path": "review/c", "attempt": 1, "code": "rate_limited", "wait_ms": 45_000}
    factories.tell(session, "call.retrying", **retry)
    event = Event.objects.get(session=session, kind="call.retrying")
    page = page_of(as_owner, session)
    assert re.findall(r'data-until="([^"]+)"', page) == [(event.at + timedelta(milliseconds=45_000)).isoformat()]
    factories.ask(session, "C", "review/c")
    factories.submit(session, "C")
    assert "data-until" not in page_of(as_owner, session)


def test_a_finding_tells_how_people_remade_it(as_owner: Client, owner: User, reviewed: Session) -> None:
    actions.join(Actor(owner), reviewed, 2, 1)
    actions.regrade(Actor(owner), reviewed, 1, "blocker")
    history = page_of(as_owner, reviewed, "?f=F-001").partition('<ul class="history">')[2].partition("</ul>")[0]
    assert re.findall(r'"fine">(.*?) by Owner', history) == ["F-002 was merged into F-001", "F-001 is blocker now"]


def test_a_quote_stands_at_its_left_edge(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(evidence="    total = 1\n        more"))
    factories.merge(session, ("major", ["A-1"]))
    quote = '<blockquote dir="auto">total = 1\n    more</blockquote>'
    assert quote in page_of(as_owner, factories.finish(session), "?f=F-001")


def test_alone_and_together_says_who_saw_what(as_owner: Client, reviewed: Session) -> None:
    part = page_of(as_owner, reviewed).partition('<section id="together"')[2].partition("</section>")[0]
    assert "Together 2 distinct findings; Seat 2 alone raised all of them" in part
    rows = {letter: part.partition(f'<tr id="seat-{letter}"')[2].partition("</tr>")[0] for letter in "ABC"}
    assert [rows["B"].count(">seen<"), rows["B"].count(">only it<"), rows["A"].count(">not seen<")] == [1, 1, 1]
    assert "did not begin to answer in time" in rows["C"]


def test_after_decisions_only_confirmed_findings_count(as_owner: Client, owner: User, reviewed: Session) -> None:
    actions.decide(Actor(owner), reviewed, 1, "to_fix")
    actions.decide(Actor(owner), reviewed, 2, "dismissed", "style")
    part = page_of(as_owner, reviewed).partition('<section id="together"')[2].partition("</section>")[0]
    assert "Together 1 confirmed finding" in part
    assert part.count("seen-head") == 1


# --- decisions


def change(client: Client, session: Session, number: int, what: str, *, script: bool = False, **said: Any) -> Any:
    headers = {"HX-Request": "true"} if script else {}
    address = reverse("sessions:finding", args=[session.code, number, what])
    return client.post(f"{address}?by=B", said, headers=headers)


@pytest.mark.parametrize(
    ("what", "said", "then"),
    [
        ("decide", {"disposition": "to_fix", "seen": "0"}, "F-001"),
        ("decide", {"disposition": "dismissed", "because": "wrong", "seen": "0"}, "F-001"),
        ("regrade", {"severity": "info", "seen": "0"}, "F-001"),
        ("join", {"into": "2", "seen": "0"}, "F-002"),
        ("split", {"reports": ["B-1"], "seen": "0"}, "F-003"),
        ("comment", {"words": "Ask Mira."}, "F-001"),
    ],
)
def test_each_decision_leads_back_to_the_finding_with_the_filter(
    what: str, said: dict[str, Any], then: str, as_owner: Client, reviewed: Session
) -> None:
    answer = change(as_owner, reviewed, 1, what, **said)
    assert (answer.status_code, answer.headers["Location"].partition("?")[2]) == (302, f"f={then}&by=B")


def test_a_decision_is_shown_with_person_and_time(as_owner: Client, owner: User, reviewed: Session) -> None:
    change(as_owner, reviewed, 1, "decide", disposition="dismissed", because="known", seen="0")
    change(as_owner, reviewed, 1, "comment", words="Since March.")
    page = page_of(as_owner, reviewed, "?f=F-001")
    assert f'<strong>Dismissed</strong>: Known <span class="quiet">by {owner.name}, <time' in page
    assert "Since March." in page
    assert "Reopen</button>" in page


@pytest.mark.parametrize("script", [False, True])
def test_whoever_is_second_sees_who_was_first_and_the_new_state(
    script: bool, as_owner: Client, owner: User, reviewed: Session
) -> None:
    change(as_owner, reviewed, 1, "decide", disposition="to_fix", seen="0")
    answer = change(as_owner, reviewed, 1, "decide", script=script, disposition="fixed", seen="0")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert f"{owner.name} decided F-001 as To fix" in page
    assert "<strong>To fix</strong>" in page
    assert ("<html" in page) != script


def test_a_script_gets_the_detail_and_its_address(as_owner: Client, reviewed: Session) -> None:
    answer = change(as_owner, reviewed, 1, "join", script=True, into="2", seen="0")
    assert answer.headers["Content-Location"] == "?f=F-002&by=B"
    assert re.findall(r'hx-target="#(\w+)"', answer.content.decode()) == ["detail"]


def test_a_finding_that_took_another_in_says_so(as_owner: Client, reviewed: Session) -> None:
    change(as_owner, reviewed, 2, "join", into="1", seen="0")
    assert "with F-002" in page_of(as_owner, reviewed, "?f=F-001")


def test_a_reader_decides_nothing(client: Client, viewer: User, reviewed: Session) -> None:
    client.force_login(viewer)
    assert change(client, reviewed, 1, "decide", disposition="fixed", seen="0").status_code == 403
    page = page_of(client, reviewed, "?f=F-001")
    assert 'data-key="a"' not in page
    assert "<textarea" not in page


def test_a_stranger_finds_nothing_to_decide(client: Client, stranger: User, reviewed: Session) -> None:
    client.force_login(stranger)
    assert change(client, reviewed, 1, "decide", disposition="fixed", seen="0").status_code == 404


@pytest.mark.parametrize(("number", "what"), [(10**12, "decide"), (1, "explode"), (99, "decide")])
def test_what_is_not_there_is_not_decided(number: int, what: str, as_owner: Client, reviewed: Session) -> None:
    assert change(as_owner, reviewed, number, what, disposition="fixed").status_code == 404


def test_asking_the_others_says_who_and_what_it_costs(as_owner: Client, owner: User, project: Project) -> None:
    factories.real_model("lab/a", input_price=Decimal(1), output_price=Decimal(1))
    factories.real_model("lab/b", input_price=Decimal(1), output_price=Decimal(1))
    session = factories.running(owner, project, seats=factories.seats("lab/a", "lab/b"))
    factories.ask(session, "A", "review/a", cost=5_000_000)
    factories.ask(session, "B", "review/b", cost=4_000_000)
    factories.submit(session, "A", factories.report())
    factories.submit(session, "B")
    factories.merge(session, ("major", ["A-1"]))
    page = page_of(as_owner, factories.finish(session), "?f=F-001")
    assert "B sees claim and quote, not who raised it. At most about $0.0040." in page
    assert change(as_owner, session, 1, "opinions").status_code == 302
    session.refresh_from_db()
    assert (session.status, session.phase) == ("queued", "opinions")


# --- again


def test_a_finished_review_leads_to_the_next(as_owner: Client, project: Project, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed)
    new = reverse("sessions:new", args=[project.slug])
    assert f'href="{new}?previous={reviewed.code}"' in page
    assert f'href="{new}?from={reviewed.code}"' in page


def test_a_recorded_result_says_so_and_can_be_run_afresh(as_owner: Client, owner: User, reviewed: Session) -> None:
    twin = factories.draft(owner, reviewed.project, reviewed.sources.get().version)
    Session.objects.filter(pk=twin.pk).update(reuses=reviewed, status="completed", finished_at=reviewed.finished_at)
    page = page_of(as_owner, twin)
    assert "reused, nothing was paid." in page
    answer = press(as_owner, twin, "again")
    fresh = Session.objects.latest("pk")
    assert answer.headers["Location"] == reverse("sessions:detail", args=[fresh.code])
    assert (fresh.status, fresh.reuses, fresh.title) == ("queued", None, twin.title)
    assert [seat.name for seat in fresh.participants.all()] == [seat.name for seat in twin.participants.all()]


def test_what_cannot_be_run_again_says_why_and_leaves_no_draft(as_owner: Client, reviewed: Session) -> None:
    artifact = reviewed.sources.get().version.artifact
    as_owner.post(reverse("sessions:delete_artifact", args=[artifact.code]))
    answer = press(as_owner, reviewed, "again")
    assert (answer.status_code, Session.objects.count()) == (404, 1)
    assert "One of the artifacts is not in this project." in answer.content.decode()


def test_a_new_version_says_what_became_of_each_finding(as_owner: Client, owner: User, reviewed: Session) -> None:
    session = factories.running(owner, reviewed.project, previous=reviewed.code)
    factories.submit(session, "A", factories.report(title="Old"), factories.report(title="Fresh"))
    factories.merge(session, ("critical", ["A-1"]), ("minor", ["A-2"]))
    pairs = [{"number": 1, "earlier": 1}]
    factories.tell(session, "findings.compared", pairs=pairs, dismissed=[], fixed=[2], unraised=[])
    page = page_of(as_owner, factories.finish(session))
    rows = page.partition('id="rows"')[2]
    assert "Still there" in rows.partition('id="F-002"')[0]
    assert "New" in rows.partition('id="F-002"')[2]
    overview = page.partition('<aside id="detail"')[2]
    assert re.search(r"Fixed since</span></dt><dd>1</dd>", overview)
    assert "Prints" in overview


def test_a_review_of_a_new_version_costs_twelve_queries(
    as_owner: Client, owner: User, reviewed: Session, django_assert_max_num_queries: Any
) -> None:
    session = factories.running(owner, reviewed.project, previous=reviewed.code)
    factories.submit(session, "A", factories.report())
    factories.merge(session, ("critical", ["A-1"]))
    factories.tell(session, "findings.compared", pairs=[], dismissed=[], fixed=[1], unraised=[2])
    factories.finish(session)
    with django_assert_max_num_queries(12):
        assert "Prints" in page_of(as_owner, session)


def test_what_a_page_showed_is_let_go_without_the_collector(rf: RequestFactory, owner: User) -> None:
    request = rf.get("/")
    request.user = owner
    refusal = Refused("text_too_long", "It is too long.")
    gone = weakref.ref(refusal)
    gc.disable()
    try:
        assert "It is too long." in render(request, "refused.html", {"refusal": refusal}).content.decode()
        del refusal
        assert gone() is None
    finally:
        gc.enable()


# --- live fragments


def test_nothing_new_is_not_modified(as_owner: Client, reviewed: Session) -> None:
    seq = last_seq(reviewed)
    answer = live(as_owner, reviewed, seq)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", f'"{seq}"')


def test_news_brings_the_parts_it_changed_and_the_new_number(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    factories.submit(session, "B", factories.report())
    answer = live(as_owner, session, seq)
    text = answer.content.decode()
    sent = [part for part in PARTS if f'hx-target="#{part}"' in text]
    assert sent == ["head", "together", "list", "artifact", "detail"]
    assert answer.headers["ETag"] == f'"{seq + 1}"'
    assert "B raised 1 problem." in text
    assert "event-" not in text


@pytest.mark.parametrize("tab", ["", "&tab=timeline"])
def test_the_end_brings_the_tab_that_only_a_finished_session_has(
    tab: str, as_owner: Client, owner: User, project: Project
) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    assert ">Replay</a>" not in page_of(as_owner, session)
    factories.finish(session)
    text = live(as_owner, session, f"{seq}{tab}").content.decode()
    assert ">Replay</a>" in text.partition('hx-target="#tabs"')[2].partition("</hx-partial>")[0]


def test_on_the_timeline_news_are_events(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    factories.submit(session, "B", factories.report())
    text = live(as_owner, session, f"{seq}&tab=timeline").content.decode()
    assert re.findall(r'hx-target="#(\w+)"', text)[:3] == ["head", "together", "events"]
    assert f'id="event-{seq + 1}"' in text
    assert f'id="event-{seq}"' not in text


def test_a_decision_of_somebody_else_arrives_in_what_one_looks_at(
    as_owner: Client, member: User, reviewed: Session
) -> None:
    seq = last_seq(reviewed)
    actions.decide(Actor(member), reviewed, 1, "fixed")
    text = live(as_owner, reviewed, f"{seq}&f=F-001").content.decode()
    assert re.findall(r'hx-target="#(\w+)"', text) == ["head", "together", "list", "detail"]
    assert f"by {member.name}" in text
    assert 'name="seen" value="1"' in text


def test_fragments_are_told_apart_from_pages_and_kept_by_nobody(as_owner: Client, reviewed: Session) -> None:
    headers = live(as_owner, reviewed, 0).headers
    assert "HX-Request" in headers["Vary"]
    assert "no-store" in headers["Cache-Control"]


def test_fragments_are_what_the_page_shows(as_owner: Client, reviewed: Session) -> None:
    fragment = live(as_owner, reviewed, 0).content.decode()
    listed = fragment.partition('<section id="list"')[2].partition("</hx-partial>")[0]
    assert listed in page_of(as_owner, reviewed)


@pytest.mark.parametrize("after", ["", "x", "-3", "9" * 40, "٣"])
def test_any_cursor_is_answered(after: str, as_owner: Client, reviewed: Session) -> None:
    assert live(as_owner, reviewed, after).status_code in {200, 304}


def test_a_part_that_nobody_changed_costs_no_query(
    as_owner: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    factories.tell(session, "call.started", letter="A", path="review/a", attempt=1)
    with django_assert_max_num_queries(12):
        live(as_owner, session, seq)


def test_every_part_is_touched_by_something() -> None:
    assert {part for parts in TOUCHED.values() for part in parts} | {"head"} == set(PARTS)


def test_every_kind_of_event_has_words() -> None:
    from sessions.events import KINDS

    assert set(SENTENCES) == set(KINDS)
    assert set(KINDS) >= ANNOUNCED
    assert (
        {kind.partition(".")[0] for kind in KINDS}
        <= set(TOUCHED)
        <= {*KINDS, *(kind.partition(".")[0] for kind in KINDS)}
    )


# --- buttons


def test_start_queues_the_session(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    assert press(as_owner, session, "start").status_code == 302
    session.refresh_from_db()
    assert session.status == "queued"


def test_whoever_starts_second_sees_that_it_runs(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    answer = press(as_owner, session, "start")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "This session is running: it cannot start now." in page
    assert "Stop</button>" in page


def test_stop_keeps_what_was_answered(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(title="Kept"))
    press(as_owner, session, "stop")
    page = page_of(as_owner, session)
    assert "Stopped." in page
    assert "Kept" in page


def test_every_button_is_one_trigger() -> None:
    from sessions.states import TRIGGERS

    assert set(BUTTONS) <= set(TRIGGERS)


def test_the_json_export_is_a_file(as_owner: Client, reviewed: Session) -> None:
    answer = as_owner.get(reverse("sessions:json", args=[reviewed.code]))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payment.json"'
    assert orjson.loads(answer.content)["code"] == str(reviewed.code)


def test_the_markdown_export_is_a_file(as_owner: Client, reviewed: Session) -> None:
    answer = as_owner.get(reverse("sessions:markdown", args=[reviewed.code]))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payment.md"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_deleting_says_what_goes_and_leaves_nothing_to_see(as_owner: Client, reviewed: Session) -> None:
    address = reverse("sessions:delete_session", args=[reviewed.code])
    assert "2 findings" in as_owner.get(address).content.decode()
    assert as_owner.post(address).status_code == 302
    assert as_owner.get(reverse("sessions:detail", args=[reviewed.code])).status_code == 404
