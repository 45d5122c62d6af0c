"""The pages of a project's gate policies: what each says, making one, and judging a session again by it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.gate_policies import Rules, save_policy
from sessions.actions.gates import judge_session
from sessions.engine.policy import SHIPPED
from sessions.glossary import GLOSSARY
from sessions.models import Attempt, Gate, GatePolicy, Project, Session
from sessions.reports.policies import rules_of
from tests import factories
from tests.markup import EVIL, dangers


@pytest.fixture
def as_owner(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def release(owner: User, project: Project) -> GatePolicy:
    return save_policy(Actor(owner), project, "release", "Release", Rules(block_severity="minor"))


def page_at(project: Project, name: str, *keys: str) -> str:
    return reverse(f"sessions:{name}", args=[project.slug, *keys])


HOURS = 'id="id_hours_error">Enter a whole number of hours, from 1 to 8,760 (a year).'


def form(**changes: Any) -> dict[str, Any]:
    return {
        "label": "Before a release",
        "block_severity": "major",
        "min_confidence": "high",
        "hours": "24",
        "two_people": "on",
        **changes,
    }


@pytest.mark.parametrize("policy", [*SHIPPED.values(), replace(SHIPPED["ci"], block_severity="blocker", hours=1)])
def test_every_reason_code_stands_under_one_rule_in_words(policy: Any) -> None:
    rules = rules_of(policy)
    told = [code for rule in rules for code in rule.codes]
    assert sorted(told) == sorted(term.api for term in GLOSSARY["gate_reason"].terms)
    assert all(rule.words.endswith(".") for rule in rules)


def test_the_rules_say_what_the_policy_sets() -> None:
    strict = " ".join(rule.words for rule in rules_of(SHIPPED["strict"]))
    for words in ("Major or graver findings block", "of high confidence.", "A pass takes two people.", "72 hours"):
        assert words in strict
    assert "A clean pass and every fail take effect at once." in " ".join(one.words for one in rules_of(SHIPPED["ci"]))


def test_the_list_tells_ones_own_from_those_that_come_along(as_owner: Client, project: Project) -> None:
    empty = as_owner.get(page_at(project, "gate_policies")).content.decode()
    assert "No policy of your own" in empty
    as_owner.post(page_at(project, "new_gate_policy"), form())
    page = as_owner.get(page_at(project, "gate_policies")).content.decode()
    assert "No policy of your own" not in page
    for key in ("before-a-release", "ci", "strict"):
        assert page.count(page_at(project, "gate_policy", key)) == 1


def test_a_policy_is_made_from_a_name_and_its_rules(as_owner: Client, project: Project) -> None:
    answer = as_owner.post(page_at(project, "new_gate_policy"), form())
    made = GatePolicy.objects.get(project=project)
    assert answer.headers["Location"] == page_at(project, "gate_policy", "before-a-release")
    assert (made.key, made.version, made.label) == ("before-a-release", 1, "Before a release")
    assert made.rules == {
        "block_severity": "major",
        "min_confidence": "high",
        "automatic": False,
        "two_people": True,
        "hours": 24,
    }


def test_a_new_policy_can_begin_like_another(as_owner: Client, project: Project) -> None:
    page = as_owner.get(page_at(project, "new_gate_policy") + "?like=strict").content.decode()
    assert re.findall(r'value="(\w+)" selected', page) == ["major", "high"]


def test_changing_a_policy_makes_its_next_version(as_owner: Client, project: Project, release: GatePolicy) -> None:
    address = page_at(project, "edit_gate_policy", "release")
    assert 'value="minor" selected' in as_owner.get(address).content.decode()
    as_owner.post(address, form(seen="1", label="Release"))
    as_owner.post(address, form(seen="2", label="Release"))
    versions = GatePolicy.objects.filter(project=project).order_by("version").values_list("version", flat=True)
    assert list(versions) == [1, 2]
    page = as_owner.get(page_at(project, "gate_policy", "release") + "?version=1").content.decode()
    assert "Minor or graver findings block" in page
    assert "This is an older version." in page


def test_who_comes_second_is_told_and_keeps_what_was_typed(
    as_owner: Client, owner: User, project: Project, release: GatePolicy
) -> None:
    save_policy(Actor(owner), project, "release", "Release", Rules(hours=5))
    answer = as_owner.post(page_at(project, "edit_gate_policy", "release"), form(seen="1"))
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Somebody saved version 2 meanwhile." in page
    assert 'value="Before a release"' in page
    assert GatePolicy.objects.filter(project=project).count() == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": ""}, "Give the policy a name of at most 80 characters."),
        ({"label": "x" * 81}, "Give the policy a name of at most 80 characters."),
        ({"label": "!!!"}, "A policy needs a name"),
        ({"label": "CI"}, "is a policy of Crucible"),
        ({"label": "Release"}, "There is a policy"),
        ({"block_severity": "info"}, "Select a valid choice."),
        *[({"hours": typed}, HOURS) for typed in ("0", "-3", "8761", "1.5", "soon", "")],
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(
    changes: dict[str, str], words: str, as_owner: Client, project: Project, release: GatePolicy
) -> None:
    answer = as_owner.post(page_at(project, "new_gate_policy"), form(**changes))
    assert answer.status_code in (409, 422)
    assert words in answer.content.decode()
    assert list(GatePolicy.objects.filter(project=project)) == [release]


def test_a_policy_of_crucible_does_not_change(as_owner: Client, project: Project) -> None:
    page = as_owner.get(page_at(project, "gate_policy", "ci")).content.decode()
    assert page_at(project, "edit_gate_policy", "ci") not in page
    assert as_owner.post(page_at(project, "edit_gate_policy", "ci"), form()).status_code == 409


@pytest.mark.parametrize("path", ["gate_policy", "edit_gate_policy"])
def test_a_policy_that_is_none_is_not_there(path: str, as_owner: Client, project: Project) -> None:
    assert as_owner.get(page_at(project, path, "nope")).status_code == 404


def test_members_read_policies_and_those_who_manage_change_them(
    client: Client, member: User, project: Project, release: GatePolicy
) -> None:
    client.force_login(member)
    page = client.get(page_at(project, "gate_policy", "release")).content.decode()
    assert "blocking_finding" in page
    assert page_at(project, "edit_gate_policy", "release") not in page
    for address in (page_at(project, "new_gate_policy"), page_at(project, "edit_gate_policy", "release")):
        assert client.post(address, form()).status_code == 403


def test_a_stranger_finds_nothing(client: Client, stranger: User, project: Project) -> None:
    client.force_login(stranger)
    assert client.get(page_at(project, "gate_policies")).status_code == 404


@pytest.mark.parametrize("words", EVIL)
def test_what_was_typed_comes_back_inert(words: str, as_owner: Client, project: Project) -> None:
    sent = form(label=words, hours=words, block_severity=words)
    assert dangers(as_owner.post(page_at(project, "new_gate_policy"), sent).content.decode()) == []


def test_the_gate_is_judged_again_by_another_policy_without_asking_a_model(
    as_owner: Client, owner: User, project: Project, release: GatePolicy
) -> None:
    session: Session = factories.reviewed(owner, project)
    judge_session(Actor(owner), session, "standard")
    asked = Attempt.objects.count()
    page = as_owner.get(reverse("sessions:gate", args=[session.code])).content.decode()
    assert "Judge again by this" in page
    assert page_at(project, "gate_policy", "release") in page
    as_owner.post(reverse("sessions:judge_gate", args=[session.code]), {"policy": "release"})
    gate = Gate.objects.get(session=session)
    assert (gate.policy["key"], gate.why, Attempt.objects.count()) == ("release", "policy_changed", asked)


def test_the_log_names_ones_own_policy(as_owner: Client, owner: User, project: Project, release: GatePolicy) -> None:
    session = factories.reviewed(owner, project)
    judge_session(Actor(owner), session, "release")
    for path in ("?tab=timeline", "gate/", f"replay/?at={session.next_seq + 9}"):
        assert "own policy" not in as_owner.get(f"/sessions/{session.code}/{path}").content.decode()
    assert "A gate was asked for: Release" in as_owner.get(f"/sessions/{session.code}/?tab=timeline").content.decode()
