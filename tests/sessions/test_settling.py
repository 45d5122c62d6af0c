"""Settling a review: its first round is not paid again, only the chosen findings are asked about."""

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import run_again, start_session
from sessions.actions.purge import delete_artifact
from sessions.actions.settling import candidates, settle, settling_estimate
from sessions.invariants import violations
from sessions.models import Event, Finding, Project, Session, Step
from sessions.queries.deliberation import deliberation_of
from sessions.seeding import DEMO_FILES
from sessions.views.deliberation import Debate
from tests import factories
from tests.driving import queued, to_rest

DEMO_CODE = next(path for path in DEMO_FILES if path.suffix == ".py")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def review(owner: User, project: Project) -> Session:
    version = factories.artifact(owner, project, DEMO_CODE.name, DEMO_CODE.read_text())
    return to_rest(start_session(Actor(owner), factories.draft(owner, project, version), dispatch=False, fresh=True))


def settled(owner: User, review: Session, *numbers: int) -> Session:
    session = settle(Actor(owner), review, numbers or None)
    return to_rest(start_session(Actor(owner), session, dispatch=False))


def asked_of(session: Session) -> list[str]:
    """The paths of everything a model was asked."""
    return sorted(Step.objects.filter(session=session, kind="call").values_list("path", flat=True))


def listed_in_rounds(session: Session) -> list[set[int]]:
    opened = Event.objects.filter(session=session, kind="round.opened").order_by("seq").values_list("data", flat=True)
    return [{row["number"] for row in data["findings"]} for data in opened]


def test_no_step_of_the_review_is_asked_again(owner: User, review: Session) -> None:
    session = settled(owner, review)
    assert session.status == "completed"
    assert session.rounds.count() >= 2
    assert [path for path in asked_of(session) if path.startswith(("brief", "review"))] == []
    assert violations() == []


def test_only_the_chosen_findings_are_asked_about(owner: User, review: Session) -> None:
    chosen, *others = [one.number for one in candidates(review)]
    assert others
    session = settled(owner, review, chosen)
    _, *later = listed_in_rounds(session)
    assert later
    assert all(not asked & set(others) for asked in later)
    assert chosen in later[0]


def test_the_others_keep_their_numbers_and_stay_open(owner: User, review: Session) -> None:
    before = dict(Finding.objects.filter(session=review).values_list("number", "fingerprint"))
    session = settled(owner, review, next(iter(before)))
    after = Finding.objects.filter(session=session, status="open").values_list("number", "fingerprint")
    assert before.items() <= dict(after).items()


def test_settling_a_settled_input_again_pays_no_first_round(owner: User, review: Session) -> None:
    settled(owner, review)
    again = settled(owner, review)
    assert again.reuses == review
    assert [path for path in asked_of(again) if path.startswith(("brief", "review"))] == []


def test_a_review_that_was_itself_replayed_is_not_paid_again(owner: User, review: Session) -> None:
    replayed = to_rest(run_again(Actor(owner), review, dispatch=False, fresh=False))
    assert replayed.reuses == review
    session = settled(owner, replayed)
    assert [path for path in asked_of(session) if path.startswith(("brief", "review"))] == []


def test_it_is_not_taken_for_a_deliberation_of_its_own(owner: User, review: Session) -> None:
    with pytest.raises(Refused, match="not_settling"):
        run_again(Actor(owner), settled(owner, review), dispatch=False)


def test_its_estimate_leaves_out_the_first_round(owner: User, review: Session) -> None:
    session = settle(Actor(owner), review)
    whole = factories.draft(owner, review.project, review.sources.get().version, kind="deliberation")
    assert session.estimate is not None
    assert whole.estimate is not None
    assert session.estimate["seconds"] == settling_estimate(review).seconds < whole.estimate["seconds"]


def test_its_estimate_grows_with_the_findings_that_are_chosen(owner: User, review: Session) -> None:
    every = [one.number for one in candidates(review)]
    few, many = settling_estimate(review, every[:1]).high, settling_estimate(review, every).high
    assert few is not None
    assert many is not None
    assert few < many
    assert settle(Actor(owner), review, every[:1]).estimate["high"] == few  # type: ignore[index]


def test_what_is_not_put_to_the_rounds_is_not_counted_as_new(owner: User, review: Session) -> None:
    session = settled(owner, review, candidates(review)[0].number)
    found = deliberation_of(session)
    assert found is not None
    debate = Debate(session, found, [], {})
    assert (debate.put, debate.tracked[0].new) == (1, 1)
    assert Finding.objects.filter(session=session, status="open").count() > 1


def test_the_page_counts_again_when_others_are_chosen(owner: User, review: Session) -> None:
    client = Client()
    client.force_login(owner)
    address = f"/sessions/{review.code}/settle/?choose"
    number = candidates(review)[-1].number
    assert "Later rounds about 1 finding: " in client.get(f"{address}&finding={number}").content.decode()
    assert "Choose at least one finding." in client.get(address).content.decode()


def test_findings_that_nobody_disputes_are_not_preset(owner: User, project: Project) -> None:
    review = factories.reviewed(owner, project)
    assert {one.number: one.why for one in candidates(review)} == {1: ("blocking",), 2: ("alone",)}
    assert {one.number: one.why for one in candidates(review, "blocker")} == {1: (), 2: ("alone",)}
    Finding.objects.filter(session=review).update(disposition="dismissed")
    assert {one.why for one in candidates(review)} == {()}
    with pytest.raises(Refused, match="nothing_to_settle"):
        settle(Actor(owner), review)


def test_an_unfinished_review_is_not_settled(owner: User, project: Project) -> None:
    with pytest.raises(Refused, match="not_completed"):
        settle(Actor(owner), queued(owner, project))


def test_only_a_review_is_settled(owner: User, review: Session) -> None:
    with pytest.raises(Refused, match="not_a_review"):
        settle(Actor(owner), settled(owner, review))


def test_a_review_by_one_instance_is_not_settled(owner: User, project: Project) -> None:
    factories.demo_models()
    alone = to_rest(queued(owner, project, seats=factories.seats()[:1]))
    with pytest.raises(Refused, match="one_instance"):
        settle(Actor(owner), alone)


def test_a_review_whose_texts_are_erased_is_not_settled(owner: User, review: Session) -> None:
    delete_artifact(Actor(owner), review.sources.get().version.artifact)
    with pytest.raises(Refused, match="source_erased"):
        settle(Actor(owner), review)


def test_a_finding_that_is_not_there_is_refused(owner: User, review: Session) -> None:
    with pytest.raises(Refused, match="finding_unknown"):
        settle(Actor(owner), review, [99])


def test_the_api_starts_it_once_per_key(owner: User, review: Session) -> None:
    client, number = factories.client(owner), candidates(review)[0].number
    address, key = f"/api/v1/sessions/{review.code}/settle", {"Idempotency-Key": "once"}
    first, second = (
        client.post(address, {"findings": [number]}, content_type="application/json", headers=key) for _ in range(2)
    )
    assert (first.status_code, first.json()["status"]) == (201, "queued")
    assert second.json() == first.json()
    assert Session.objects.get(code=first.json()["code"]).params["only"] == [number]
    assert Session.objects.filter(reuses=review).count() == 1


def test_the_page_presets_what_is_disputed_and_starts_what_is_chosen(owner: User, review: Session) -> None:
    client = Client()
    client.force_login(owner)
    address = f"/sessions/{review.code}/settle/"
    shown = client.get(address).content.decode()
    assert shown.split("<fieldset")[1].count(" checked>") == sum(bool(one.why) for one in candidates(review))
    preset = sum(bool(one.why) for one in candidates(review))
    assert f"Later rounds about {preset} finding{'s' * (preset > 1)}: Sends" in shown
    chosen = candidates(review)[-1].number
    response = client.post(address, {"finding": [str(chosen)]})
    session = Session.objects.get(reuses=review)
    assert (response.status_code, session.params["only"]) == (302, [chosen])


def test_the_page_says_that_something_has_to_be_chosen(owner: User, review: Session) -> None:
    client = Client()
    client.force_login(owner)
    response = client.post(f"/sessions/{review.code}/settle/", {})
    assert response.status_code == 409
    assert "Choose at least one" in response.content.decode()
    assert not Session.objects.filter(reuses=review).exists()


def test_it_has_a_name_of_its_own_and_pays_no_first_round_for_it(owner: User, review: Session) -> None:
    one, another = settled(owner, review), settled(owner, review)
    assert (one.title, another.title) == ("Payment (settled)", "Payment (settled 2)")
    assert [session.decision.name for session in (one, another) if session.decision] == [
        "Decision on Payment (settled).md",
        "Decision on Payment (settled 2).md",
    ]
    assert [path for path in asked_of(one) if path.startswith(("brief", "review"))] == []
