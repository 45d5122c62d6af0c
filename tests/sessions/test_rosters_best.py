"""Whom "Best of what you have" seats, who could sit in place of whom, and what keeps a session from starting."""

from typing import Any

import pytest
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import retry_session, start_session
from sessions.catalog.best import best_seats, seat_states
from sessions.models import LanguageModel, Project, Provider
from sessions.seats import Seat
from tests import factories


@pytest.fixture
def works(db: Any) -> Any:
    """Registers a model that was tested and answered."""

    def add(pk: str, family: str, weight: int = 5, **fields: Any) -> LanguageModel:
        model = factories.real_model(pk, family=family, weight=weight, key="")
        LanguageModel.objects.filter(pk=pk).update(**{"checked_at": timezone.now(), **fields})
        return model

    return add


def seated(project: Project) -> list[str]:
    return [seat.model_id for seat in best_seats(project)]


def test_the_strongest_of_three_makers_are_seated(works: Any, project: Project) -> None:
    works("a/big", "a", 9)
    works("a/other", "a", 8)
    works("b/one", "b", 5)
    works("c/one", "c", 7)
    assert seated(project) == ["a/big", "c/one", "b/one"]


def test_two_makers_give_a_second_model_of_the_stronger_one(works: Any, project: Project) -> None:
    works("a/big", "a", 9)
    works("a/other", "a", 4)
    works("b/one", "b", 5)
    assert seated(project) == ["a/big", "b/one", "a/other"]


def test_a_single_model_sits_three_times_with_different_focus(works: Any, project: Project) -> None:
    works("a/big", "a")
    seats = best_seats(project)
    assert {seat.model_id for seat in seats} == {"a/big"}
    assert len({seat.focus for seat in seats}) == len({seat.name for seat in seats}) == 3


def test_everybody_is_a_reviewer(works: Any, project: Project) -> None:
    works("a/big", "a")
    assert {seat.role for seat in best_seats(project)} == {"reviewer"}


@pytest.mark.parametrize(
    "fields",
    [{"check_code": "provider_auth"}, {"check_code": "timeout_first_byte"}, {"enabled": False},
     {"removed_at": timezone.now()}, {"checked_at": None}],
)  # fmt: skip
def test_what_does_not_work_is_not_seated_beside_what_does(
    fields: dict[str, Any], works: Any, project: Project
) -> None:
    works("a/big", "a", 9, **fields)
    works("b/one", "b", 2)
    assert set(seated(project)) == {"b/one"}


def test_models_nobody_tested_are_better_than_simulated_ones(works: Any, project: Project) -> None:
    factories.demo_models()
    works("a/big", "a", checked_at=None)
    assert set(seated(project)) == {"a/big"}


def test_without_a_model_the_demo_models_are_seated(project: Project) -> None:
    factories.demo_models()
    states = seat_states(project, best_seats(project))
    assert [state.model.simulated for state in states if state.model] == [True] * 3


def test_an_empty_registry_seats_nobody(project: Project) -> None:
    assert best_seats(project) == []


def test_a_restricted_project_seats_only_whom_it_may_send_to(works: Any, project: Project) -> None:
    local = works("a/big", "a", 9)
    works("b/one", "b")
    cloud = Provider.objects.create(
        name="cloud", adapter="openai_wire", base_url="https://models.example.org/v1", sealed_key=b"x"
    )
    LanguageModel.objects.filter(pk="b/one").update(provider=cloud)
    project.local_only = True
    assert set(seated(project)) == {"a/big"}
    project.local_only, project.allowed_providers = False, ["cloud"]
    assert set(seated(project)) == {"b/one"}
    project.allowed_providers = [local.provider.name, "cloud"]
    assert set(seated(project)) == {"a/big", "b/one"}


def test_the_nearest_model_is_of_the_same_maker(works: Any, project: Project) -> None:
    works("a/big", "a", 9, check_code="model_not_found")
    works("a/small", "a", 2)
    works("b/big", "b", 9)
    (state,) = seat_states(project, [Seat(name="A", model_id="a/big")])
    assert (state.code, state.nearest and state.nearest.pk) == ("model_not_found", "a/small")


def test_a_seat_without_a_key_names_the_provider_that_lacks_one(works: Any, project: Project) -> None:
    model = works("a/big", "a")
    Provider.objects.update(sealed_key=None)
    (state,) = seat_states(project, [Seat(name="A", model_id="a/big")])
    assert (state.code, state.keyless) == ("no_key", model.provider.name)


def test_an_unknown_model_is_a_seat_without_one(works: Any, project: Project) -> None:
    works("a/big", "a")
    (state,) = seat_states(project, [Seat(name="A", model_id="gone/model")])
    assert (state.code, state.nearest and state.nearest.pk) == ("model_unknown", "a/big")


@pytest.mark.parametrize(
    "fields", [{"enabled": False}, {"removed_at": timezone.now()}, {"check_code": "provider_auth"}]
)
def test_nothing_starts_with_a_seat_that_cannot_answer(
    fields: dict[str, Any], works: Any, owner: User, project: Project
) -> None:
    works("a/big", "a", 9)
    works("b/one", "b")
    session = factories.draft(owner, project, seats=factories.seats("a/big", "b/one"))
    LanguageModel.objects.filter(pk="a/big").update(**fields)
    with pytest.raises(Refused) as refused:
        start_session(Actor(owner), session, dispatch=False)
    assert (refused.value.code, refused.value.status) == ("seat_without_model", 409)
    assert "Seat A (a/big)" in refused.value.sentence
    assert "b/one" in refused.value.sentence


def test_a_test_that_failed_for_a_moment_keeps_nothing_from_starting(works: Any, owner: User, project: Project) -> None:
    works("a/big", "a", check_code="rate_limited")
    session = factories.draft(owner, project, seats=factories.seats("a/big"))
    assert start_session(Actor(owner), session, dispatch=False).status == "queued"


def test_a_project_that_became_local_does_not_send_a_draft_away(works: Any, owner: User, project: Project) -> None:
    works("a/big", "a")
    session = factories.draft(owner, project, seats=factories.seats("a/big"))
    Provider.objects.update(base_url="https://models.example.org/v1")
    Project.objects.filter(pk=project.pk).update(local_only=True)
    session.refresh_from_db()
    with pytest.raises(Refused, match="seat_without_model"):
        start_session(Actor(owner), session, dispatch=False)


def test_a_restricted_project_refuses_a_draft_with_anybody_else(works: Any, owner: User, project: Project) -> None:
    works("a/big", "a")
    project.allowed_providers = ["somebody"]
    project.save()
    with pytest.raises(Refused, match="provider_not_allowed"):
        factories.draft(owner, project, seats=factories.seats("a/big"))


def test_a_retry_asks_nothing_of_a_model_that_has_answered(owner: User, project: Project) -> None:
    session = factories.reviewed(owner, project)
    LanguageModel.objects.filter(pk="demo/birch").update(enabled=False)
    assert retry_session(Actor(owner), session, dispatch=False).status == "queued"
