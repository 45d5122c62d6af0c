"""What looks like a secret. The samples are put together here, so that no scanner takes this file for a leak."""

import time

import pytest

from sessions.reading.secrets_scan import MAX_SUSPECTS, Suspect, likely_secrets

LETTERS = "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8cF0hJ5kL7nP9rS"
SAMPLES = {
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "AWS access key": "id = AKIA" + "ABCDEFGH12345678",
    "GitHub token": "gh" + f"p_{LETTERS[:36]}",
    "GitLab token": "gl" + f"pat-{LETTERS[:20]}",
    "Slack token": "xox" + "b-1234567890-abcdef",
    "Stripe key": "sk_" + f"live_{LETTERS[:24]}",
    "Google API key": "AI" + f"za{LETTERS[:35]}",
    "Anthropic key": "sk-" + f"ant-api03-{LETTERS}",
    "OpenAI key": "sk-" + f"proj-{LETTERS}",
    "JSON web token": "ey" + f"Jhbgcioijiuzi1.ey{'J'}zdwiioiixmjm0.{LETTERS[:20]}",
    "password in an address": "postgres://app:" + "s3cr3tpass@db.internal/app",
    "password or key": 'db_password = "' + 'hunter2-Xy9!q"',
}
HARMLESS = [
    'password = os.environ["DB_PASSWORD"]',
    "token = request.headers['Authorization']",
    "api_key: ${API_KEY}",
    'secret = "changeme-please-1"',
    "def reset_password(user: User, token: str) -> None:",
    "password: example-password-123",
    "# the token is refreshed every 30 minutes",
    "if token == previous_token: raise TokenReused2()",
    "https://example.org/path:with@sign",
    "commit 1f3c9a7e5b2d4f6a8c0e1b3d5f7a9c2e4b6d8f0a",
    "max_tokens = 4096",
    "password_field = forms.CharField(max_length=128)",
]


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_secret_is_named_by_place_and_kind(kind: str) -> None:
    assert likely_secrets([("src/a.py", f"x = 1\n{SAMPLES[kind]}\n")]) == [Suspect("src/a.py", 2, kind)]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_speaks_of_secrets_is_let_through(line: str) -> None:
    assert likely_secrets([("a.py", line)]) == []


def test_every_value_of_a_dotenv_file_is_named() -> None:
    found = likely_secrets([("app/.env", "# comment\nHOST=db\nDEBUG=\nPORT=5432\n")])
    assert [(suspect.line, suspect.kind) for suspect in found] == [
        (2, "value of a .env file"),
        (4, "value of a .env file"),
    ]


def test_a_sample_of_a_dotenv_file_is_let_through() -> None:
    assert likely_secrets([(".env.example", "HOST=db\n")]) == []


def test_the_value_is_never_repeated() -> None:
    found = likely_secrets([("a", sample) for sample in SAMPLES.values()])
    assert not any(LETTERS[:12] in str(suspect) or "hunter2" in str(suspect) for suspect in found)


def test_the_list_ends_somewhere() -> None:
    assert len(likely_secrets([(".env", "A=1\n" * 10_000)])) == MAX_SUSPECTS


def test_five_megabytes_are_searched_in_seconds() -> None:
    text = ("    total = compute(rows, token=None)  # ordinary code of ordinary width, ordinary\n" * 60_000)[:5_000_000]
    begun = time.monotonic()
    likely_secrets([("a.py", text), ("b.txt", "password" * 600_000)])
    assert time.monotonic() - begun < 10
