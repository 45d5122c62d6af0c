"""Home, projects, members, keys and the pages nobody wants to see."""

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from crucible_site.accounts import new_login_link
from crucible_site.models import User
from crucible_site.views import failed
from sessions import access
from sessions.access import Actor, actor_of_key
from sessions.models import ApiKey, LanguageModel, Membership, Project, Role, Session
from sessions.queries import ListedSession, projects_of, sessions_of
from tests import factories


@pytest.fixture
def as_owner(client: Client, owner: User, project: Project) -> Client:
    client.force_login(owner)
    return client


def test_whoever_has_one_project_goes_straight_to_it(as_owner: Client, project: Project) -> None:
    assert as_owner.get("/").headers["Location"] == reverse("sessions:project", args=[project.slug])


def test_whoever_has_several_sees_them(as_owner: Client, owner: User) -> None:
    factories.project(owner, "Second mill")
    page = as_owner.get("/").content.decode()
    assert "Paper mill" in page
    assert "Second mill" in page


def test_projects_are_listed_with_what_goes_on_in_them(owner: User, project: Project, reviewed: Session) -> None:
    quiet = factories.project(owner, "Second mill")
    factories.join(factories.user("mira"), quiet)
    factories.running(owner, project)
    rows = projects_of(access.memberships(Actor(owner)), reviewed.created_at)
    told = [(row.project, row.sessions, row.under_way, row.undecided, row.people, bool(row.spent)) for row in rows]
    assert told == [(project, 2, 1, 2, 1, True), (quiet, 0, 0, 0, 2, False)]


def test_the_list_says_zero_only_of_a_review_that_looked(as_owner: Client, owner: User, project: Project) -> None:
    rows = {row.session.title: row for row in _listed(project, owner)}
    assert [rows[title].has_result for title in ("Draft", "Under way", "Failed", "Clean")] == [False] * 3 + [True]
    assert as_owner.get(f"/projects/{project.slug}/").content.decode().count('data-label="Findings">0<') == 1


def _listed(project: Project, owner: User) -> list[ListedSession]:
    """A review in each state that has no findings."""
    factories.draft(owner, project, title="Draft")
    factories.running(owner, project, title="Under way")
    factories.finish(factories.running(owner, project, title="Failed"), status="failed", reason="no_answers")
    clean = factories.running(owner, project, title="Clean")
    factories.merge(clean)
    factories.finish(clean)
    return sessions_of(project)


def test_whoever_has_none_is_told_what_to_do(client: Client, db: Any) -> None:
    client.force_login(factories.user("new"))
    assert "Make your first one" in client.get("/").content.decode()


def test_a_project_is_made_and_opened(client: Client, db: Any) -> None:
    client.force_login(factories.user("new"))
    assert client.post("/", {"name": "Fresh start"}).headers["Location"] == "/projects/fresh-start/"


def test_a_project_without_a_name_is_refused_with_its_reason(as_owner: Client) -> None:
    answer = as_owner.post("/", {"name": "  "})
    assert (answer.status_code, "needs a name" in answer.content.decode()) == (400, True)


def test_an_empty_project_says_what_a_review_is(as_owner: Client, project: Project) -> None:
    assert "No sessions yet" in as_owner.get(f"/projects/{project.slug}/").content.decode()


def test_a_project_lists_its_reviews_with_findings_and_who_answered(
    as_owner: Client, project: Project, reviewed: Session
) -> None:
    page = as_owner.get(f"/projects/{project.slug}/").content.decode()
    assert reviewed.title in page
    assert "2 of 3" in page
    assert "sev-critical" in page


def test_the_first_screen_has_a_drop_zone_and_says_that_no_model_works(as_owner: Client, project: Project) -> None:
    page = as_owner.get(f"/projects/{project.slug}/").content.decode()
    assert "Drop a file, a folder or a diff to review" in page
    assert "Until one works, sessions are simulated." in page


def test_the_first_screen_says_which_model_works(as_owner: Client, project: Project) -> None:
    factories.real_model()
    LanguageModel.objects.update(checked_at=timezone.now(), label="Large")
    page = as_owner.get(f"/projects/{project.slug}/").content.decode()
    assert "Models connected" in page
    assert "Large" in page


def test_the_finished_example_is_shown_to_whoever_may_read_it(
    as_owner: Client, project: Project, reviewed: Session
) -> None:
    Project.objects.filter(pk=project.pk).update(is_demo=True)
    assert "See a finished review" in as_owner.get(f"/projects/{project.slug}/").content.decode()


def test_the_finished_example_is_not_shown_to_others(client: Client, reviewed: Session, stranger: User) -> None:
    Project.objects.filter(pk=reviewed.project_id).update(is_demo=True)
    client.force_login(stranger)
    assert "See a finished review" not in client.get("/", follow=True).content.decode()


def test_the_list_says_which_reviews_are_simulated(as_owner: Client, project: Project, reviewed: Session) -> None:
    page = as_owner.get(f"/projects/{project.slug}/").content.decode()
    assert "simulated: no model read this file" in page
    assert "nothing is charged" in page


def test_the_list_calls_no_real_review_simulated(as_owner: Client, owner: User, project: Project) -> None:
    factories.real_model()
    factories.draft(owner, project, seats=factories.seats("lab/large"))
    page = as_owner.get(f"/projects/{project.slug}/").content.decode()
    assert "simulated" not in page
    assert "charged" not in page


def test_the_list_of_reviews_costs_the_same_however_long_it_is(
    as_owner: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        factories.draft(owner, project)
    with django_assert_max_num_queries(12):
        as_owner.get(f"/projects/{project.slug}/")


def test_a_reader_has_no_button_that_starts_anything(client: Client, viewer: User, project: Project) -> None:
    client.force_login(viewer)
    page = client.get(f"/projects/{project.slug}/").content.decode()
    assert "New review" not in page
    assert "You can read this project." in page


def test_somebody_is_added_by_e_mail(as_owner: Client, project: Project, stranger: User) -> None:
    as_owner.post(f"/projects/{project.slug}/members/", {"email": stranger.email.upper(), "role": "viewer"})
    assert Membership.objects.get(project=project, user=stranger).role == Role.VIEWER


def test_an_unknown_e_mail_is_said_and_kept(as_owner: Client, project: Project) -> None:
    answer = as_owner.post(f"/projects/{project.slug}/members/", {"email": "no@example.org", "role": "viewer"})
    assert answer.status_code == 422
    assert 'value="no@example.org"' in answer.content.decode()


def test_the_last_owner_stays(as_owner: Client, owner: User, project: Project) -> None:
    answer = as_owner.post(f"/projects/{project.slug}/members/", {"email": owner.email, "role": "viewer"})
    assert answer.status_code == 409
    assert "keeps at least one owner" in answer.content.decode()


def test_the_only_owner_is_offered_no_change_and_told_why(as_owner: Client, owner: User, project: Project) -> None:
    page = as_owner.get(f"/projects/{project.slug}/members/").content.decode()
    assert "The only owner stays: make somebody else owner first." in page
    assert f'aria-label="Remove {owner}"' not in page
    assert f'aria-label="Role of {owner}"' not in page


def test_one_of_two_owners_may_be_changed(as_owner: Client, owner: User, project: Project) -> None:
    factories.join(factories.user("second"), project, Role.OWNER)
    page = as_owner.get(f"/projects/{project.slug}/members/").content.decode()
    assert f'aria-label="Remove {owner}"' in page
    assert "The only owner stays" not in page


def test_a_moderator_is_offered_no_owner(client: Client, owner: User, project: Project) -> None:
    moderator = factories.user("moderator")
    factories.join(moderator, project, Role.MODERATOR)
    client.force_login(moderator)
    page = client.get(f"/projects/{project.slug}/members/").content.decode()
    assert "Only an owner can change an owner." in page
    assert f'aria-label="Remove {owner}"' not in page
    assert "<option>owner</option>" not in page


def test_somebody_is_removed(as_owner: Client, project: Project, viewer: User) -> None:
    as_owner.post(f"/projects/{project.slug}/members/", {"email": viewer.email, "go": "remove"})
    assert not Membership.objects.filter(project=project, user=viewer).exists()


def test_a_member_changes_nobody(client: Client, member: User, project: Project) -> None:
    client.force_login(member)
    answer = client.post(f"/projects/{project.slug}/members/", {"email": member.email, "role": "owner"})
    assert answer.status_code == 403


def test_a_new_key_is_shown_once(as_owner: Client, project: Project) -> None:
    address = f"/projects/{project.slug}/keys/"
    answer = as_owner.post(address, {"name": "CI", "scopes": ["read", "write"], "lifetime": "90"})
    text = answer.content.decode().partition('id="new-key">')[2].partition("<")[0]
    assert actor_of_key(text) is not None
    assert text not in as_owner.get(address).content.decode()


def test_a_key_without_scopes_is_refused(as_owner: Client, project: Project) -> None:
    assert as_owner.post(f"/projects/{project.slug}/keys/", {"name": "CI"}).status_code == 400


def test_a_reader_makes_a_reading_key_only(client: Client, viewer: User, project: Project) -> None:
    client.force_login(viewer)
    answer = client.post(f"/projects/{project.slug}/keys/", {"name": "CI", "scopes": ["write"]})
    assert answer.status_code == 403
    assert not ApiKey.objects.exists()


def test_others_keys_are_seen_by_moderators_only(
    client: Client, as_owner: Client, owner: User, viewer: User, project: Project
) -> None:
    factories.api_key(owner, project)
    assert ApiKey.objects.get().prefix in as_owner.get(f"/projects/{project.slug}/keys/").content.decode()
    client.force_login(viewer)
    assert ApiKey.objects.get().prefix not in client.get(f"/projects/{project.slug}/keys/").content.decode()


def test_a_key_is_revoked(as_owner: Client, owner: User, project: Project) -> None:
    factories.api_key(owner, project)
    as_owner.post(reverse("sessions:revoke_key", args=[ApiKey.objects.get().code]))
    assert ApiKey.objects.get().revoked_at is not None


def test_deleting_a_project_says_what_goes_before_it_goes(
    as_owner: Client, project: Project, reviewed: Session
) -> None:
    address = f"/projects/{project.slug}/delete/"
    assert "1 session" in as_owner.get(address).content.decode()
    as_owner.post(address)
    assert as_owner.get(f"/projects/{project.slug}/").status_code == 404


def test_a_sign_in_link_works_once(client: Client, owner: User) -> None:
    address = f"/in/{new_login_link(owner)}/"
    assert "Welcome" in client.get(address).content.decode()
    assert client.post(address).status_code == 302
    assert "has ended" in Client().post(address).content.decode()


def test_a_page_that_is_not_there_names_its_request(client: Client, db: Any) -> None:
    answer = client.get("/nowhere/")
    assert (answer.status_code, answer.headers["X-Request-Id"] in answer.content.decode()) == (404, True)


def test_a_broken_page_names_its_request_and_needs_no_database(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.id = "0123456789abcdef"  # type: ignore[attr-defined]
    answer = failed(request)
    assert (answer.status_code, "0123456789abcdef" in answer.content.decode()) == (500, True)


@pytest.mark.parametrize("name", ["account_login", "account_reset_password", "account_reset_password_done"])
def test_whoever_is_signed_out_sees_our_frame(name: str, client: Client, db: Any) -> None:
    page = client.get(reverse(name)).content.decode()
    assert '<a class="brand"' in page
    assert "css/tokens.css" in page


@pytest.mark.parametrize("name", ["account_change_password", "account_logout", "account_email"])
def test_account_pages_stand_in_our_frame(name: str, as_owner: Client) -> None:
    page = as_owner.get(reverse(name), follow=True).content.decode()
    assert '<a class="brand"' in page


def test_sign_in_offers_no_sign_up_while_it_is_closed(client: Client, db: Any) -> None:
    assert reverse("account_signup") not in client.get(reverse("account_login")).content.decode()


def test_help_of_a_password_field_is_a_list(as_owner: Client) -> None:
    assert "<ul><li>" in as_owner.get(reverse("account_change_password"), follow=True).content.decode()
