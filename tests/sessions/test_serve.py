"""What `serve` and `link` print, and what the site answers beside its own pages."""

import re
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from crucible_site.management.commands.serve import greeting
from crucible_site.models import LoginLink, User
from crucible_site.team import interface, open_to_others
from sessions.seeding import seed

pytestmark = pytest.mark.django_db

LINK = re.compile(r"https?://(\S+)(/in/\S+/)")
FOR_OTHERS = ["0.0.0.0", "::", "192.168.1.5", "box"]


@pytest.fixture
def home(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def link(**options: Any) -> tuple[str, str]:
    """(host, path) of the link that the command printed."""
    out = StringIO()
    call_command("link", stdout=out, **options)
    found = LINK.search(out.getvalue())
    assert found is not None
    return found[1], found[2]


def created(email: str = "mira@example.org") -> tuple[str, str]:
    """(host, path) of the link that `create_owner` printed."""
    out = StringIO()
    call_command("create_owner", email, stdout=out)
    found = re.search(r"http://([^/\s]+)(/accounts/\S+)", out.getvalue())
    assert found is not None
    return found[1], found[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_server_for_this_machine_greets_with_a_link_that_signs_in(host: str, client: Client) -> None:
    seed()
    found = LINK.search(greeting(host, 8000))
    assert found is not None
    client.post(found[2])
    assert "_auth_user_id" in client.session


def test_a_server_for_this_machine_alone_also_prints_a_link_for_the_approver(client: Client) -> None:
    seed(alone=True)
    _, found = LINK.findall(greeting("127.0.0.1", 8000))
    client.post(found[1])
    assert User.objects.get(pk=client.session["_auth_user_id"]).email == "approver@localhost"
    other = Client()
    other.post(found[1])
    assert "_auth_user_id" not in other.session


@pytest.mark.parametrize("host", FOR_OTHERS)
def test_a_server_for_others_ends_the_approvers_link_and_prints_none(host: str, settings: Any) -> None:
    seed(alone=True)
    greeting("127.0.0.1", 8000)
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS]
    open_to_others(host, 8000)
    assert "/in/" not in greeting(host, 8000)
    assert not LoginLink.objects.exists()


def test_a_server_of_several_processes_has_no_link_for_the_approver(settings: Any) -> None:
    seed(alone=True)
    settings.CRUCIBLE_TEAM = True
    assert len(LINK.findall(greeting("127.0.0.1", 8000))) == 1


def test_a_server_behind_tls_greets_without_a_link_and_says_how_to_get_one(settings: Any) -> None:
    seed()
    settings.HTTPS = True
    assert "/in/" not in greeting("127.0.0.1", 8000)
    assert "make link" in greeting("127.0.0.1", 8000)
    assert not LoginLink.objects.exists()


@pytest.mark.parametrize("host", FOR_OTHERS)
def test_a_server_for_others_says_how_to_make_the_first_owner(host: str) -> None:
    seed()
    assert "/in/" not in greeting(host, 8000)
    assert "manage.py create_owner" in greeting(host, 8000)
    assert not LoginLink.objects.exists()


def test_a_server_for_others_that_has_an_owner_does_not_ask_for_one() -> None:
    created()
    assert "create_owner" not in greeting("box", 8000)


@pytest.mark.parametrize("host", FOR_OTHERS)
def test_a_server_for_others_ends_the_owners_links_and_makes_no_more(host: str, home: Path, settings: Any) -> None:
    seed()
    (home / "address").write_text("127.0.0.1 8003")
    link()
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS]
    open_to_others(host, 8000)
    assert not LoginLink.objects.exists()
    (home / "address").write_text(f"{host} 8000")
    with pytest.raises(CommandError, match="create_owner"):
        link()


def test_a_server_for_others_is_reached_by_the_name_it_was_given(settings: Any, client: Client, db: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    open_to_others("box.example.org", 8000)
    assert client.get("/healthz", headers={"host": "box.example.org:8000"}).status_code == 200
    assert client.get("/healthz", headers={"host": "evil.example.org:8000"}).status_code == 400
    assert (settings.CRUCIBLE_URL, settings.CRUCIBLE_TEAM) == ("http://box.example.org:8000", True)


def test_a_server_on_all_addresses_is_reached_by_the_names_of_this_machine(settings: Any, db: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    open_to_others("0.0.0.0", 8000)
    assert socket.gethostname().lower() in settings.ALLOWED_HOSTS
    assert "*" not in settings.ALLOWED_HOSTS


def test_hosts_that_the_operator_listed_are_the_only_ones(settings: Any, monkeypatch: Any, db: Any) -> None:
    monkeypatch.setenv("CRUCIBLE_ALLOWED_HOSTS", "crucible.example")
    settings.ALLOWED_HOSTS = ["crucible.example"]
    open_to_others("0.0.0.0", 8000)
    assert settings.ALLOWED_HOSTS == ["crucible.example"]


def test_a_name_is_served_on_all_addresses_and_an_address_on_itself() -> None:
    assert [interface(host) for host in ("box", "0.0.0.0", "::1", "10.0.0.5", "localhost")] == [
        "0.0.0.0", "0.0.0.0", "::1", "10.0.0.5", "localhost",
    ]  # fmt: skip


def test_the_first_owner_sets_a_password_and_is_in(home: Path, client: Client) -> None:
    host, path = created()
    assert host == "127.0.0.1:8000"
    form = client.get(path, follow=True)
    typed = {"password1": "a long enough password", "password2": "a long enough password"}
    client.post(form.redirect_chain[-1][0], typed)
    assert "_auth_user_id" in client.session
    assert "Demo" in client.get("/", follow=True).content.decode()
    assert "password1" not in Client().get(path, follow=True).content.decode()


def test_an_owner_is_made_from_somebody_who_is_there_already(home: Path) -> None:
    User.objects.create_user("mira@example.org", "a long enough password", name="Mira")
    created()
    mira = User.objects.get(email="mira@example.org")
    assert (mira.is_superuser, mira.name, mira.check_password("a long enough password")) == (True, "Mira", True)


def test_an_owner_needs_an_address(home: Path) -> None:
    with pytest.raises(CommandError, match="not an e-mail address"):
        call_command("create_owner", "mira")


def test_link_leads_to_where_serve_ran_last(home: Path) -> None:
    seed()
    (home / "address").write_text("127.0.0.1 8003")
    assert link()[0] == "127.0.0.1:8003"


def test_link_leads_to_the_port_it_is_told(home: Path) -> None:
    seed()
    (home / "address").write_text("127.0.0.1 8003")
    assert link(port=8007)[0] == "127.0.0.1:8007"


def test_behind_a_proxy_link_leads_to_the_public_host(home: Path, settings: Any, client: Client) -> None:
    seed()
    settings.HTTPS, settings.ALLOWED_HOSTS = True, ["crucible.example", "testserver"]
    host, path = link()
    assert host == "crucible.example"
    assert client.get(path).status_code == 200


def test_link_says_when_no_server_has_run_here(home: Path) -> None:
    with pytest.raises(CommandError, match="make run"):
        link()


def test_link_says_when_the_database_has_no_owner_yet(home: Path) -> None:
    with pytest.raises(CommandError, match="make run"):
        link(port=8000)


def test_a_page_that_is_not_ours_finds_the_icon(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/static/img/favicon.svg")
