"""A named model stands in for one that fails for good: asked once, paid at its price, said everywhere."""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import run_again, start_session
from sessions.actions.rosters import save_roster, seats_of_roster
from sessions.catalog.roster_yaml import from_yaml, to_yaml
from sessions.invariants import violations
from sessions.models import Attempt, LanguageModel, Project, Session
from sessions.providers.base import ProviderCall
from sessions.queries import SeatView, seats_of
from sessions.queries.analytics import analytics
from sessions.queries.estimate import estimate
from sessions.queries.seats import Replacement
from sessions.reports.export import document, markdown
from sessions.seats import Seat
from tests import factories
from tests.doubles import ScriptedProvider, Turn, failing, installed
from tests.driving import again, answering, lab, to_rest, with_role

pytestmark = pytest.mark.django_db(transaction=True)


def refusing(*routes: str) -> Any:
    """Models at these routes have their key refused; all others answer."""

    def play(call: ProviderCall) -> Turn:
        return failing("provider_auth") if call.route in routes else answering(call)

    return play


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=refusing("b"))) as scripted:
        yield scripted


@pytest.fixture
def models(db: Any) -> None:
    lab("a", route="a")
    lab("b", route="b")
    lab("c", route="c", input_price=Decimal(3), output_price=Decimal(6))


def seats_with(**fallbacks: str) -> list[Seat]:
    """Seats A and B; `B="lab/c"` names the fallback of B."""
    seats = with_role("reviewer", "lab/a", "lab/b")
    return [
        seat.model_copy(update={"fallback": fallbacks.get(letter, "")})
        for letter, seat in zip("AB", seats, strict=True)
    ]


def queued(owner: User, project: Project, **fallbacks: str) -> Session:
    draft = factories.draft(owner, project, seats=seats_with(**fallbacks))
    return start_session(Actor(owner), draft, dispatch=False, fresh=True)


@pytest.mark.usefixtures("models", "provider")
def test_the_fallback_answers_at_its_own_price_and_nobody_is_missing(owner: User, project: Project) -> None:
    session = to_rest(queued(owner, project, B="lab/c"))
    assert (session.status, session.reason) == ("completed", "")
    asked = Attempt.objects.filter(session=session, letter="B").order_by("started_at")
    assert list(asked.values_list("model_id", "state", "cost_microcredits", "step__path")) == [
        ("lab/b", "failed", 0, "review/b"),
        ("lab/c", "delivered", 420_000, "review/b/fallback"),
    ]
    assert violations() == []


@pytest.mark.usefixtures("models", "provider")
def test_every_page_export_and_figure_says_who_was_replaced_by_whom(owner: User, project: Project) -> None:
    session = to_rest(queued(owner, project, B="lab/c"))
    own, stood_in = seats_of(session)
    assert (own.replaced_by, stood_in.replaced_by) == ("", "lab/c: its own model had its key refused")
    row = document(session)["instances"][1]
    assert (row["model_id"], row["fallback"]) == ("lab/b", "lab/c")
    assert row["replaced"] == [{"path": "review/b", "by": "lab/c", "code": "provider_auth"}]
    assert "lab/b, replaced by lab/c" in markdown(session)
    assert analytics(session).instances[1].answered_by == ("lab/c",)
    client = factories.client(owner)
    told = client.get(f"/api/v1/sessions/{session.code}").json()["instances"][1]["replaced"]
    assert told == row["replaced"]
    browser = signed_in(owner)
    page = told_by(browser, f"/sessions/{session.code}/")
    assert "replaced by lab/c: its own model had its key refused" in page.lower()
    assert "lab/c is asked in place of B, whose own model had its key refused" in told_by(
        browser, f"/sessions/{session.code}/?tab=timeline"
    )


@pytest.mark.usefixtures("models", "provider")
def test_without_a_fallback_the_instance_is_missing_as_ever(owner: User, project: Project) -> None:
    session = to_rest(queued(owner, project))
    assert session.participants.get(letter="B").error_code == "provider_auth"
    assert not session.events.filter(kind="instance.replaced").exists()


@pytest.mark.usefixtures("models")
def test_an_instance_whose_fallback_fails_too_is_missing_and_both_failures_are_named(
    owner: User, project: Project
) -> None:
    with installed(ScriptedProvider(play=refusing("b", "c"))):
        session = to_rest(queued(owner, project, B="lab/c"))
    assert session.participants.get(letter="B").state == "missing"
    lost = session.events.filter(kind="call.lost").values_list("data__path", "data__code")
    assert set(lost) == {("review/b", "provider_auth"), ("review/b/fallback", "provider_auth")}


@pytest.mark.usefixtures("models")
def test_a_model_that_is_switched_off_after_the_start_is_replaced(owner: User, project: Project) -> None:
    with installed(ScriptedProvider(play=answering)):
        session = queued(owner, project, B="lab/c")
        LanguageModel.objects.filter(pk="lab/b").update(enabled=False)
        to_rest(session)
    assert seats_of(session)[1].replaced_by == "lab/c: its own model was switched off"


@pytest.mark.usefixtures("models")
def test_a_retry_keeps_the_answer_that_was_paid_for(owner: User, project: Project) -> None:
    with installed(ScriptedProvider(play=refusing("a", "b"))):
        session = to_rest(queued(owner, project, B="lab/c"))
    assert (session.reason, session.participants.get(letter="A").state) == ("1_of_2_answered", "missing")
    with installed(ScriptedProvider(play=answering)) as healthy:
        again(owner, session)
    assert {(call.member, call.route) for call in healthy.calls} == {("A", "a")}
    assert [seat.state for seat in seats_of(session)].count("missing") == 0
    assert session.events.filter(kind="instance.replaced").count() == 1
    assert violations() == []


@pytest.mark.usefixtures("models")
def test_the_same_input_takes_the_recorded_answer_and_says_again_whose_it_is(owner: User, project: Project) -> None:
    with installed(ScriptedProvider(play=refusing("b"))):
        session = to_rest(queued(owner, project, B="lab/c"))
    with installed(ScriptedProvider(play=answering)) as healthy:
        taken = to_rest(run_again(Actor(owner), session, dispatch=False, fresh=False))
    assert (taken.reuses, healthy.calls, taken.cost_microcredits) == (session, [], 0)
    assert seats_of(taken)[1].replaced_by == "lab/c: its own model had its key refused"
    assert violations() == []


@pytest.mark.usefixtures("models", "provider")
def test_another_fallback_is_another_input(owner: User, project: Project) -> None:
    digests = {queued(owner, project, **named).input_digest for named in ({}, {"B": "lab/c"}, {"B": "lab/a"})}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("fallback", "code"),
    [("lab/b", "fallback_is_same"), ("demo/atlas", "fallback_simulated"), ("lab/nobody", "model_unknown")],
)
@pytest.mark.usefixtures("models")
def test_what_cannot_stand_in_is_refused(owner: User, project: Project, fallback: str, code: str) -> None:
    factories.demo_models()
    for make in (
        lambda: queued(owner, project, B=fallback),
        lambda: save_roster(project, "Two", seats_with(B=fallback)),
    ):
        with pytest.raises(Refused) as refused:
            make()
        assert refused.value.code == code


@pytest.mark.usefixtures("models")
def test_files_go_to_no_fallback_that_the_project_does_not_allow(owner: User, project: Project) -> None:
    lab_name = LanguageModel.objects.get(pk="lab/a").provider.name
    factories.real_model("far/large", base_url="http://127.0.0.2:9/v1")
    project.allowed_providers = [lab_name]
    project.save()
    with pytest.raises(Refused, match="provider_not_allowed"):
        queued(owner, project, B="far/large")


@pytest.mark.usefixtures("models")
def test_a_cap_counts_the_fallback_too(owner: User, project: Project) -> None:
    factories.real_model("lab/unpriced", base_url="https://api.example.com/v1")
    draft = factories.draft(owner, project, seats=seats_with(B="lab/unpriced"), hard_cap=1_000_000)
    with pytest.raises(Refused, match="cap_needs_price"):
        start_session(Actor(owner), draft, dispatch=False)


@pytest.mark.usefixtures("models")
def test_the_estimate_says_who_would_read_it_instead_and_costs_nothing_for_that(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    plain, named = (estimate(project, seats, [version], {}) for seats in (seats_with(), seats_with(B="lab/c")))
    assert (plain.typical, plain.notes) == (named.typical, ())
    assert named.notes == ("Where B does not answer, lab/c at 127.0.0.1:9 reads it instead.",)


@pytest.mark.usefixtures("models")
def test_a_roster_carries_it_through_yaml_and_the_editor(owner: User, project: Project) -> None:
    text = to_yaml("Two", seats_with(B="lab/c"))
    assert re.findall(r"^  fallback: (.*)$", text, re.MULTILINE) == ["lab/c"]
    name, seats = from_yaml(text)
    assert [seat.fallback for seat in seats] == ["", "lab/c"]
    saved = save_roster(project, name, seats)
    client = signed_in(owner)
    page = client.get(f"/rosters/{saved.code}/").content.decode()
    assert re.findall(r'<option value="lab/c" selected>', page) == ['<option value="lab/c" selected>']
    typed = {"go": "save", "roster_name": name, "seat_name": ["One", "Two"], "seat_role": ["lead", "reviewer"]}
    typed |= {"seat_model_id": ["lab/a", "lab/b"], "seat_temperature": ["", ""], "seat_focus": ["", ""]}
    assert client.post(f"/rosters/{saved.code}/", typed | {"seat_fallback": ["lab/c", ""]}).status_code == 302
    saved.refresh_from_db()
    assert [seat.fallback for seat in seats_of_roster(saved)] == ["lab/c", ""]


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def told_by(client: Client, path: str) -> str:
    """The words of a page."""
    page = client.get(path).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_rounds_in_which_it_was_replaced_are_named() -> None:
    replaced = (
        Replacement("review/b", "lab/c", "quota_exceeded"),
        Replacement("assess/round-2/b", "lab/c", "timeout_idle"),
    )
    seat = SeatView("B", "Ben", "reviewer", "lab/b", "B", None, "", False, "done", None, "", "", False, False, 0, 0)
    told = [replace(seat, replaced=found).replaced_by for found in ((), replaced[:1], replaced)]
    assert told == [
        "",
        "lab/c: its own model had no credit left",
        "lab/c in round 1, 2: its own model timed out",
    ]
