"""What every page has: it travels as gzip where the browser takes it, in the theme its reader chose."""

import gzip
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User


@pytest.fixture
def as_owner(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_a_page_is_compressed_for_who_takes_it(client: Client, db: Any) -> None:
    plain = client.get(reverse("account_login"))
    packed = client.get(reverse("account_login"), headers={"accept-encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert b"<h1>" in gzip.decompress(packed.content)
    assert len(packed.content) < len(plain.content) / 2
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_the_length_of_a_page_does_not_tell_what_is_in_it(client: Client, db: Any) -> None:
    answers = [client.get(reverse("account_login"), headers={"accept-encoding": "gzip"}) for _ in range(8)]
    assert len({len(answer.content) for answer in answers}) > 1


def test_what_is_not_a_page_stays_as_it_is(client: Client, db: Any) -> None:
    answer = client.get(reverse("health"), headers={"accept-encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_a_theme_is_kept_for_the_person_and_nothing_else_is(as_owner: Client) -> None:
    as_owner.post(reverse("theme"), {"theme": "dark"})
    assert 'class="theme-dark"' in as_owner.get(reverse("account_change_password"), follow=True).content.decode()
    as_owner.post(reverse("theme"), {"theme": '"><script>'})
    assert 'class="theme-dark"' in as_owner.get(reverse("account_change_password"), follow=True).content.decode()


def test_a_theme_is_no_way_to_another_site(as_owner: Client) -> None:
    answer = as_owner.post(reverse("theme"), {"theme": "light"}, headers={"referer": "https://elsewhere.example/"})
    assert answer.headers["Location"] == reverse("home")
