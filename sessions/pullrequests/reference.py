"""What a person writes to name a pull request, and the addresses of a code host."""

import re
from urllib.parse import urlsplit

GITHUB_API = "https://api.github.com"
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_NUMBER = re.compile(r"#?([1-9][0-9]{0,8})")
_PATH = re.compile(rf"/({REPOSITORY.pattern})/pull/([1-9][0-9]{{0,8}})(?:/.*)?")


class BadReference(ValueError):
    """`code` says what is wrong: unreadable | other_repository."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def pull_request_number(typed: str, api_url: str, repository: str) -> int:
    """The number in `12`, `#12` or the address of a pull request of this repository. Raises BadReference."""
    typed = typed.strip()
    if number := _NUMBER.fullmatch(typed):
        return int(number[1])
    try:
        parts = urlsplit(typed)
    except ValueError:
        raise BadReference("unreadable") from None
    path = _PATH.fullmatch(parts.path)
    if parts.scheme not in ("http", "https") or path is None:
        raise BadReference("unreadable")
    if parts.netloc.lower() != urlsplit(web_url(api_url)).netloc or path[1].lower() != repository.lower():
        raise BadReference("other_repository")
    return int(path[2])


def web_url(api_url: str) -> str:
    """Where people read what the API serves: GitHub has a host of its own for it, a server of one's own a path."""
    return "https://github.com" if api_url == GITHUB_API else api_url.removesuffix("/api/v3")


def clean_api_url(typed: str) -> str:
    """GitHub's own API unless another is named; without a slash at the end."""
    return typed.strip().rstrip("/") or GITHUB_API
