"""The page of a gate, and the inbox: what people are shown before they decide, and that looking decides nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings, gates
from sessions.actions.gate_policies import Rules, save_policy
from sessions.actions.notifications import announce
from sessions.models import Delivery, Event, Gate, GateDecision, Membership, Notify, Outbox, Project, Role, Session
from sessions.queries.gates import gate_of
from sessions.queries.inbox import inbox_of, waiting_count
from sessions.reports.letters import of_gate
from tests import factories

pytestmark = pytest.mark.django_db
WHY = "Fixed on the branch; we release from there."


@pytest.fixture
def approver(project: Project) -> User:
    """Comes in by links: has no password that could be asked for."""
    found = factories.user("approver")
    found.set_unusable_password()
    found.save()
    factories.join(found, project, Role.APPROVER)
    return found


@pytest.fixture
def browser(approver: User) -> Client:
    client = Client()
    client.force_login(approver)
    return client


@pytest.fixture
def waiting(reviewed: Session, owner: User) -> Session:
    """A review whose gate proposes a fail and waits."""
    gates.judge_session(Actor(owner), reviewed, "standard")
    return reviewed


def rated(owner: User, project: Project, severity: str) -> Session:
    """A review with one finding of that severity, raised by two instances."""
    session = factories.running(owner, project)
    for letter in "ABC":
        factories.submit(session, letter, *([] if letter == "C" else [factories.report(severity=severity)]))
    factories.merge(session, (severity, ["A-1", "B-1"]))
    return factories.finish(session)


def page_of(client: Client, session: Session) -> str:
    return client.get(f"/sessions/{session.code}/gate/").content.decode()


def press(client: Client, session: Session, act: str, **fields: Any) -> Any:
    fields = {"shown": gate_of(session).shown, **fields}
    return client.post(f"/sessions/{session.code}/gate/{act}/", fields)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_shows_what_blocks_with_its_quote_and_who_did_not_answer(browser: Client, waiting: Session) -> None:
    text = text_of(page_of(browser, waiting))
    for words in ("Proposed: Fail", "Blocking finding: F-001", "Float money", "total = amount * 1.19",
                  "2 of 3 answered: C timed out", "Confirm the fail", "Override to pass"):  # fmt: skip
        assert words in text


def test_what_could_fool_a_reader_stands_beside_the_outcome(browser: Client, owner: User, project: Project) -> None:
    """An answer that was cut off, one that came from a part of the artifact, none at all, and words to a model."""
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(severity="critical", flags=["injection"]), partial=True)
    factories.submit(session, "B", factories.report(severity="critical"), in_part=True)
    factories.lose(session, "C", "refused")
    factories.merge(session, ("critical", ["A-1", "B-1"]))
    gates.judge_session(Actor(owner), factories.finish(session), "standard")
    head, _, rest = page_of(browser, session).partition('<header id="head"')[2].partition("</header>")
    assert "2 of 3 answered: C declined, B read only part, A may miss findings" in text_of(head)
    assert "Addresses a model" in text_of(rest)


def test_why_a_session_failed_is_said_in_words(browser: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    for letter in "ABC":
        factories.lose(session, letter, "refused")
    text = text_of(page_of(browser, factories.finish(session, "", "no_answers", "failed")))
    assert ("No instance gave a usable answer." in text.partition("Why")[2], "no_answers" in text) == (True, False)


def test_before_the_end_no_policy_says_that_nothing_blocks(browser: Client, owner: User, project: Project) -> None:
    text = text_of(page_of(browser, factories.running(owner, project)))
    assert ("not ended yet" in text, "nothing blocks" in text) == (True, False)


def test_it_says_what_other_policies_would_make_of_it(browser: Client, waiting: Session) -> None:
    rows = page_of(browser, waiting).partition("under other policies")[2]
    assert [name in text_of(rows) for name in ("Standard judged by it", "CI", "Strict")] == [True] * 3


@pytest.mark.parametrize(
    ("severity", "policy", "says", "button", "says_not"),
    [
        ("critical", "standard", "it fails. Confirm the fail The fail counts ten minutes later", "Confirm", "Approve"),
        ("minor", "standard", "it fails. Approve the pass It passes ten minutes later", "Approve", "Confirm"),
        ("minor", "strict", "it fails. Approve the pass A second person has to agree", "Approve", "Confirm"),
    ],
)
def test_the_box_says_what_happens_when_nobody_acts_and_what_the_button_does(
    browser: Client, owner: User, project: Project, severity: str, policy: str, says: str, button: str, says_not: str
) -> None:
    session = rated(owner, project, severity)
    gates.judge_session(Actor(owner), session, policy)
    box = text_of(page_of(browser, session).partition('id="gate-box"')[2])
    assert "If nobody decides within" in box
    assert says in box
    assert (f"{button} the" in box, f"{says_not} the" in box) == (True, False)


def test_a_fail_in_effect_stays_when_nobody_acts_and_its_starter_does_not_end_it(
    browser: Client, owner: User, project: Project
) -> None:
    session = rated(owner, project, "critical")
    gates.judge_session(Actor(owner), session, "ci")
    findings.regrade(Actor(owner), session, 1, "minor")
    gates.settle_due()
    starter = Client()
    starter.force_login(owner)
    box = [text_of(page_of(client, session).partition('id="gate-box"')[2]) for client in (starter, browser)]
    assert ["A fail is in effect. If nobody decides" in text for text in box] == [True, True]
    assert ["Approve the pass" in text for text in box] == [False, True]
    assert "somebody else has to let it pass" in box[0]
    reply = press(starter, session, "approve")
    assert (reply.status_code, "somebody else has to decide" in reply.content.decode()) == (403, True)


def test_a_starter_who_may_not_decide_gets_no_buttons(waiting: Session, owner: User, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(separate_approver="always")
    client = Client()
    client.force_login(owner)
    page = page_of(client, waiting)
    assert ("/gate/approve/" in page, "somebody else has to decide" in page) == (False, True)


def test_no_button_judges_away_what_was_decided(browser: Client, waiting: Session, approver: User) -> None:
    assert text_of(page_of(browser, waiting)).count("Judge again by this") == 2
    press(browser, waiting, "override", to="pass", reason=WHY)
    text = text_of(page_of(browser, waiting))
    assert ("Judge again by this" in text, f"{approver.name} decided is not judged away" in text) == (False, True)
    reply = browser.post(f"/sessions/{waiting.code}/gate/judge/", {"policy": "ci"})
    assert (reply.status_code, f"{approver.name} decided already" in reply.content.decode()) == (409, True)
    assert gate_of(waiting).policy.key == "standard"


def test_a_more_lenient_policy_is_said_to_take_an_override(browser: Client, owner: User, project: Project) -> None:
    save_policy(Actor(owner), project, "lax", "Lax", Rules(block_severity="blocker"))
    session = rated(owner, project, "critical")
    gates.judge_session(Actor(owner), session, "standard")
    rows = text_of(page_of(browser, session).partition("under other policies")[2])
    assert "nothing blocks Takes an override" in rows
    reply = browser.post(f"/sessions/{session.code}/gate/judge/", {"policy": "lax"})
    assert (reply.status_code, "override it with a reason" in reply.content.decode()) == (409, True)


def test_a_policy_that_asks_fewer_people_is_not_offered(browser: Client, waiting: Session, owner: User) -> None:
    gates.judge_session(Actor(owner), waiting, "strict")
    rows = text_of(page_of(browser, waiting).partition("under other policies")[2])
    assert (rows.count("Asks fewer people"), "Judge again by this" in rows) == (2, False)


def test_a_link_that_is_opened_decides_nothing(browser: Client, waiting: Session) -> None:
    before = Event.objects.count()
    addresses = re.findall(r'(?:href|action)="(/[^"]*)"', page_of(browser, waiting))
    assert f"/sessions/{waiting.code}/gate/approve/" in addresses
    for address in sorted(set(addresses)):
        browser.get(address)
        browser.head(address)
    assert (Event.objects.count(), GateDecision.objects.count()) == (before, 0)


def test_an_override_from_the_page(browser: Client, waiting: Session, approver: User) -> None:
    reply = press(browser, waiting, "override", to="pass", reason=WHY, hours="24")
    assert reply.headers["Location"].endswith("/gate/#gate-box-head"), "where it can be taken back, by the keyboard too"
    text = text_of(page_of(browser, waiting))
    assert "Decided: Pass" in text
    assert "The policy itself says: fail" in text
    assert WHY in text
    assert "for 24 hours" in text
    assert gate_of(waiting).decisions[0].by == approver.name


def test_whoever_has_a_password_proves_it_before_an_override_and_it_goes_on_from_there(
    waiting: Session, approver: User
) -> None:
    approver.set_password("a long enough password")
    approver.save()
    client = Client()
    client.post(reverse("account_login"), {"login": approver.email, "password": "a long enough password"})
    asked = press(client, waiting, "override", to="pass", reason=WHY)
    assert asked.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert not GateDecision.objects.exists()
    told = client.get(asked.headers["Location"]).content.decode()
    assert ("Confirm it is you" in told, "Overriding a gate" in told, "after ten minutes" in told) == (True, True, True)
    client.post(asked.headers["Location"], {"password": "a long enough password"})
    assert gate_of(waiting).decisions[0].why == WHY


def test_a_cookie_alone_overrides_nothing_over_the_api(waiting: Session, approver: User) -> None:
    approver.set_password("a long enough password")
    approver.save()
    client = Client()
    client.force_login(approver)
    body = {"act": "override", "to": "pass", "reason": WHY, "shown": gate_of(waiting).shown}
    reply = client.post(f"/api/v1/sessions/{waiting.code}/gate/decisions", body, "application/json")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "sign_in_again")


def test_what_was_typed_stays_when_it_is_refused(browser: Client, waiting: Session) -> None:
    reply = press(browser, waiting, "override", to="pass", reason="Too short <b>")
    assert (reply.status_code, "Too short &lt;b&gt;" in reply.content.decode()) == (422, True)


@pytest.mark.parametrize("reason", ["", "Because."])
def test_an_override_without_a_reason_is_refused_in_words(browser: Client, waiting: Session, reason: str) -> None:
    reply = press(browser, waiting, "override", to="pass", reason=reason)
    assert (reply.status_code, "Say why, in 20 to 2,000 characters." in reply.content.decode()) == (422, True)
    assert not GateDecision.objects.exists()


def test_an_approver_takes_back_on_the_page_what_is_not_yet_in_effect(browser: Client, waiting: Session) -> None:
    press(browser, waiting, "override", to="pass", reason=WHY)
    assert "Take it back" in text_of(page_of(browser, waiting))
    assert press(browser, waiting, "undo").status_code == 302
    assert (gate_of(waiting).state, "Proposed: Fail" in text_of(page_of(browser, waiting))) == ("pending", True)


def test_what_is_in_effect_is_not_taken_back_on_the_page(browser: Client, waiting: Session) -> None:
    press(browser, waiting, "override", to="pass", reason=WHY)
    shown = gate_of(waiting).shown
    Gate.objects.update(effective_at=F("effective_at") - timedelta(minutes=11))
    assert "Take it back" not in text_of(page_of(browser, waiting))
    reply = press(browser, waiting, "undo", shown=shown)
    assert (reply.status_code, "It is in effect: override it" in reply.content.decode()) == (409, True)
    assert gate_of(waiting).effective == "pass"


def test_whoever_is_second_sees_who_was_first(browser: Client, waiting: Session, owner: User) -> None:
    shown = gate_of(waiting).shown
    gates.approve(Actor(owner), waiting, shown)
    reply = press(browser, waiting, "approve", shown=shown)
    assert (reply.status_code, owner.name in reply.content.decode()) == (409, True)


def test_changed_evidence_is_said_and_has_to_be_looked_at_again(browser: Client, waiting: Session, owner: User) -> None:
    shown = gate_of(waiting).shown
    findings.regrade(Actor(owner), waiting, 1, "blocker")
    assert press(browser, waiting, "approve", shown=shown).status_code == 409
    assert "The evidence changed" in text_of(page_of(browser, waiting))
    assert not GateDecision.objects.exists()


def test_readers_see_the_gate_without_dead_buttons(waiting: Session, viewer: User) -> None:
    client = Client()
    client.force_login(viewer)
    page = page_of(client, waiting)
    assert "Proposed: Fail" in text_of(page)
    assert "/gate/approve/" not in page


def test_a_session_without_a_gate_offers_one(browser: Client, reviewed: Session) -> None:
    assert "A gate would propose: Fail" in text_of(page_of(browser, reviewed))
    browser.post(f"/sessions/{reviewed.code}/gate/judge/", {"policy": "ci"})
    assert Gate.objects.get().state == "effective"


def test_an_unknown_act_is_not_there(browser: Client, waiting: Session) -> None:
    assert press(browser, waiting, "explode").status_code == 404


def test_the_page_costs_a_bounded_number_of_queries(
    browser: Client, waiting: Session, django_assert_max_num_queries: Any
) -> None:
    press(browser, waiting, "approve")
    with django_assert_max_num_queries(19):
        page_of(browser, waiting)


def test_a_moderator_says_when_somebody_else_has_to_decide(owner: User, project: Project) -> None:
    client = Client()
    client.force_login(owner)
    client.post(f"/projects/{project.slug}/gates/", {"separate_approver": "always"})
    project.refresh_from_db()
    assert project.separate_approver == "always"
    assert 'value="always" checked' in client.get(f"/projects/{project.slug}/settings/").content.decode()
    assert client.post(f"/projects/{project.slug}/gates/", {"separate_approver": "?"}).status_code == 422


# --- the inbox


def test_a_gate_waits_for_those_who_may_decide_it(
    waiting: Session, owner: User, approver: User, member: User, stranger: User
) -> None:
    people = (owner, approver, member, stranger)
    assert [waiting_count(user.pk) for user in people] == [1, 1, 0, 0]
    assert [len(inbox_of(Actor(user)).gates) for user in people] == [1, 1, 0, 0]


def test_it_waits_no_longer_for_whoever_decided_first(waiting: Session, owner: User, approver: User) -> None:
    gates.judge_session(Actor(owner), waiting, "strict")
    gates.override(Actor(approver), waiting, gate_of(waiting).shown, "pass", WHY)
    assert [waiting_count(user.pk) for user in (approver, owner)] == [0, 1]
    assert inbox_of(Actor(owner)).gates[0].first == approver.name
    client = Client()
    client.force_login(owner)
    assert "If seconded: Pass" in text_of(client.get("/inbox/").content.decode())


def test_the_inbox_names_gates_and_stopped_sessions_and_the_last_decisions(
    browser: Client, waiting: Session, approver: User
) -> None:
    stopped = factories.running(approver, waiting.project, title="Stuck one")
    Session.objects.filter(pk=stopped.pk).update(status="needs_attention")
    page = text_of(browser.get("/inbox/").content.decode())
    assert "Payment" in page
    assert "Proposed: Fail" in page
    assert "Stuck one" in page
    press(browser, waiting, "approve")
    page = text_of(browser.get("/inbox/").content.decode())
    assert "approved by Approver" in page


def test_an_empty_inbox_says_so(browser: Client) -> None:
    assert "Nothing waits for you" in browser.get("/inbox/").content.decode()


# --- what is told outside


def test_those_who_decide_are_told_with_a_link_to_the_page(
    waiting: Session, owner: User, approver: User, member: User, settings: Any
) -> None:
    settings.CRUCIBLE_MAIL = True
    Membership.objects.filter(user=owner).update(notify=Notify.NONE)
    announce([Outbox.objects.get(kind="announce", payload__what="gate").payload])
    assert [row.user for row in Delivery.objects.filter(what="gate")] == [approver]
    letter = of_gate(waiting)
    assert letter.link.endswith(f"/sessions/{waiting.code}/gate/")
    assert "Waiting for a decision: fail" in letter.text


@pytest.mark.parametrize("is_signed_in", [False, True])
def test_a_mail_scanner_that_opens_every_link_decides_nothing(
    waiting: Session, browser: Client, is_signed_in: bool
) -> None:
    """Also one that sits in the browser of an approver, and goes on to whatever the mailed page names."""
    scanner, before = browser if is_signed_in else Client(), Event.objects.count()
    pages, seen = re.findall(r"https?://[^/]+(/\S*)", of_gate(waiting).body()), set[str]()
    assert pages == [f"/sessions/{waiting.code}/gate/"]
    for address in pages:
        page = scanner.get(address, follow=True).content.decode()
        seen |= {address, *re.findall(r'(?:href|action|formaction|src)="(/[^"]*)"', page)}
    assert (f"/sessions/{waiting.code}/gate/approve/" in seen) == is_signed_in
    for address in sorted(seen):
        for method in ("get", "head", "options"):
            scanner.generic(method.upper(), address)
    assert (Event.objects.count(), GateDecision.objects.count()) == (before, 0)
    assert gate_of(waiting).state == "pending"
