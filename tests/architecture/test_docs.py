"""README, docs and ARCHITECTURE are true of the tree: what they name exists, and what people have to know is named."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from crucible_site.accounts import LINK_LIFETIME
from crucible_site.api import api
from sessions.actions.new_session import MAX_SOURCE_BYTES, MAX_SOURCES
from sessions.api.lifecycle import NewSessionBody
from sessions.gateway import CLOUD, LOCAL
from sessions.reading import apart, archive, pdf
from sessions.reading.readable import MAX_BYTES, MAX_DOCUMENT_BYTES, MAX_LINES
from sessions.reading.several import MAX_FILES, MAX_TOTAL_BYTES
from sessions.seats import MAX_SEATS
from sessions.specs import ReviewParams

ROOT = Path(__file__).resolve().parents[2]
PATHS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PATHS}
MAKEFILE = (ROOT / "Makefile").read_text()
SETTINGS = (ROOT / "crucible_site" / "settings.py").read_text()

HOSTS = {"localhost", "127.0.0.1", "crucible.example"}
# Variables of others: keys that people have, and settings of servers we talk to.
FOREIGN_VARIABLES = {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_CONTEXT_LENGTH", "GITHUB_STEP_SUMMARY"}
# What docs/ci_review.py reads where it runs, which is not here.
FOREIGN_VARIABLES |= {"CRUCIBLE_SERVER", "CRUCIBLE_KEY", "CRUCIBLE_PROJECT", "CRUCIBLE_ROSTER"}
SOME_CODE = str(UUID(int=0))
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")

every_page = pytest.mark.parametrize("page", TEXTS)


def code_in(page: str) -> list[str]:
    """Fenced blocks and inline code of a page, commands on one line each."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", TEXTS[page], re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL))
    return [block.replace("\\\n", " ") for block in blocks] + inline


def named(pattern: str, page: str) -> set[Any]:
    """What `pattern` finds in the code of a page."""
    return {found for code in code_in(page) for found in re.findall(pattern, code)}


def options_of(command: str) -> set[str]:
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    return set(parser._option_string_actions)


def own_options(command: str) -> set[str]:
    """Without those that every command of Django's has."""
    return {name for name in options_of(command) - options_of("verify_invariants") if name.startswith("--")}


def variables_read() -> set[str]:
    """Environment variables of the product: read by settings.py through a reader, or where they are used."""
    in_settings = re.findall(r"\b[a-z_]+\(['\"]([A-Z]+_[A-Z_]+)['\"]", SETTINGS)
    modules = (
        path.read_text() for app in ("crucible_site", "sessions", "billing") for path in (ROOT / app).rglob("*.py")
    )
    elsewhere = (re.findall(r'os\.environ(?:\.get\(|\[)"([A-Z_]+)"', module) for module in modules)
    return {*in_settings, *(name for names in elsewhere for name in names)}


def operations() -> dict[tuple[str, str], set[str]]:
    """(method, path) of OpenAPI -> names of its query parameters."""
    paths = api.get_openapi_schema()["paths"]
    return {
        (method.upper(), path): {row["name"] for row in operation["parameters"] if row["in"] == "query"}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def requests_of_readme() -> Iterator[tuple[str, str, set[str]]]:
    """(method, path, names of query parameters) of the example, with {} for every code in a path."""
    for line in re.sub(r"\n +", " ", example()).splitlines():
        for address in re.findall(r'\$URL(/[^\s"]*)', line):
            path, _, query = address.partition("?")
            method = "POST" if re.search(r" -[dF] ", line) else "GET"
            yield method, re.sub(r"\$\w+", "{}", f"/api/v1{path}"), set(re.findall(r"(\w+)=", query))


def example() -> str:
    return next(code for code in code_in("README.md") if "$URL" in code)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", TEXTS[page], re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) < 120


@every_page
def test_every_make_target_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert named(r"\bmake ([a-z]+)", page) <= targets


@every_page
def test_every_make_variable_named_is_used(page: str) -> None:
    assert named(r"\bmake [a-z]+ ([A-Z]+)=", page) <= set(re.findall(r"\$\(([A-Z]+)\)", MAKEFILE))


@every_page
def test_every_command_named_exists(page: str) -> None:
    assert named(r"manage\.py ([a-z]\w*)", page) <= set(get_commands())


@every_page
def test_every_option_of_a_command_exists(page: str) -> None:
    uses = named(r"manage\.py ([a-z]\w*)([^\n|&;]*)", page)
    wrong = {(command, *set(re.findall(r"--[a-z-]+", rest)) - options_of(command)) for command, rest in uses}
    assert {use for use in wrong if len(use) > 1} == set()


@every_page
def test_every_option_named_alone_is_one_of_ours(page: str) -> None:
    commands = ("run_session", "add_model", "create_api_key", "serve", "verify_certificate")
    ours = set().union(*(own_options(name) for name in commands))
    tokens = set(re.findall(r"(--[\w-]+):", (ROOT / "static" / "css" / "tokens.css").read_text()))
    assert {code for code in code_in(page) if re.fullmatch(r"--[a-z-]+", code)} <= ours | tokens


@pytest.mark.parametrize(("command", "page"), [("run_session", "docs/guide.md"), ("add_model", "docs/models.md")])
def test_every_option_of_ours_is_explained(command: str, page: str) -> None:
    assert own_options(command) - set(code_in(page)) == set()


def test_every_parameter_of_a_review_is_explained() -> None:
    guide = " ".join(code_in("docs/guide.md"))
    assert [name for name in ReviewParams.model_fields if f"{name}=" not in guide] == []


@every_page
def test_every_environment_variable_named_is_read(page: str) -> None:
    variables = {name for code in code_in(page) for name in VARIABLE.findall(code)}
    assert variables - FOREIGN_VARIABLES <= variables_read()


def test_operations_explains_every_environment_variable() -> None:
    table = [line for line in TEXTS["docs/operations.md"].splitlines() if line.startswith("| `")]
    explained = {name for line in table for name in VARIABLE.findall(line.split("|")[1])}
    assert variables_read() - explained == set()


def test_the_api_page_lists_exactly_the_operations_there_are() -> None:
    listed = re.findall(r"^\| `([A-Z]+) (\S+)` \|", TEXTS["docs/api.md"], re.MULTILINE)
    assert sorted(listed) == sorted(operations())


def test_the_requests_of_the_readme_exist() -> None:
    known = {(method, re.sub(r"{\w+}", "{}", path)): query for (method, path), query in operations().items()}
    made = {(method, path): query for method, path, query in requests_of_readme()}
    assert len(made) == 5
    assert made.keys() <= known.keys()
    assert [request for request, query in made.items() if not query <= known[request]] == []


def test_the_session_of_the_readme_is_one_the_api_takes() -> None:
    sent = re.search(r"-d '(\{.*\})'", example(), re.DOTALL)
    assert sent is not None
    body = json.loads(re.sub(r"'\$\w+'", SOME_CODE, sent[1]))
    assert NewSessionBody.model_validate(body).start


def test_the_session_of_the_api_page_is_one_the_api_takes() -> None:
    sent = next(code for code in code_in("docs/api.md") if '"roster"' in code)
    body = NewSessionBody.model_validate_json(sent.replace("<code>", SOME_CODE))
    assert ReviewParams.model_validate(body.params).max_findings == 10


@every_page
def test_no_link_leaves_this_machine(page: str) -> None:
    assert set(re.findall(r"https?://([\w.-]+)", TEXTS[page])) <= HOSTS


@every_page
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", TEXTS[page])
    for path, anchor in links:
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.relative_to(ROOT).as_posix())


def test_every_file_the_architecture_names_exists() -> None:
    files = named(r"^[\w/]+(?:\.(?:py|js|json|md|toml)|/)$", "ARCHITECTURE.md")
    assert [name for name in files if not ((ROOT / name).exists() or (ROOT / "sessions" / name).exists())] == []


@pytest.mark.parametrize(
    "limit",
    [
        f"| {MAX_BYTES // 1_000_000} MB, {MAX_LINES:,} lines |",
        f"| {MAX_DOCUMENT_BYTES // 1_000_000} MB; a PDF {pdf.MAX_PAGES} pages; a ZIP {archive.MAX_ENTRIES:,} entries"
        f" and {archive.MAX_UNPACKED // 1_000_000} MB unpacked |",
        f"| {apart.SECONDS} s and {apart.MEMORY // 10**9} GB in a process of its own, {apart.AT_ONCE} at once |",
        f"| {MAX_FILES}, together {MAX_TOTAL_BYTES // 1_000_000} MB |",
        f"| {MAX_SEATS} instances; {MAX_SOURCES} artifacts and context files,"
        f" together {MAX_SOURCE_BYTES // 1_000_000} MB |",
        f"| {settings.CRUCIBLE_MAX_BODY_BYTES // 2**20} MiB, refused while it arrives |",
        f"| connecting to a provider | {CLOUD.connect:.0f} s |",
        f"| to its first word | {CLOUD.first_byte:.0f} s more; at http addresses {LOCAL.first_byte:.0f} s |",
        f"| between words | {CLOUD.idle:.0f} s; at http addresses {LOCAL.idle:.0f} s |",
        f"| one answer in all | {CLOUD.wall:.0f} s; at http addresses {LOCAL.wall:,.0f} s |",
        f"| one answer | {CLOUD.max_bytes // 1_000_000} MB |",
        f"| tries of one call | {CLOUD.tries}, with {CLOUD.backoff} s and {2 * CLOUD.backoff:.0f} s between",
        f"| a sign-in link | {LINK_LIFETIME.total_seconds() / 3600:.0f} hours, once |",
    ],
)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert limit in TEXTS["docs/operations.md"]
