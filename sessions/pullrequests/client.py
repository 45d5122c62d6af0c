"""The one way out to a code host that speaks GitHub's REST API. It uses the same sockets as providers do
(`sessions.providers.egress`): no redirects, no proxies, private hosts only where the operator allows them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from sessions.providers.base import ProviderError, Secret
from sessions.providers.egress import check_url, close_sessions, http_session, wire_errors

JSON = "application/vnd.github+json"
DIFF = "application/vnd.github.diff"
RAW = "application/vnd.github.raw+json"
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
MAX_JSON_BYTES = 5_000_000
PAGE = 100
MAX_PAGES = 20

Answer = TypeVar("Answer")


class HostError(Exception):
    """The code host did not do it. `code` is `unauthorised` (401, 403), `not_found`, `moved` (any redirect),
    `rate_limited`, `too_large`, `http_<status>`, `bad_answer`, or a ProviderError's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
    """A pull request as it is now: `sha` is its newest commit."""

    sha: str
    title: str
    base: str


@dataclass(frozen=True, slots=True)
class CodeHost:
    """One repository there. An empty token asks anonymously, which only reading of public ones allows."""

    api_url: str
    repository: str
    token: Secret
    allow_local: bool

    async def head(self, number: int) -> Head:
        found = await self._json("GET", f"/pulls/{number}")
        try:
            return Head(str(found["head"]["sha"]), str(found["title"]), str(found["base"]["ref"]))
        except (KeyError, TypeError):
            raise HostError("bad_answer") from None

    async def diff(self, number: int, limit: int) -> bytes:
        return await self._ask("GET", f"/pulls/{number}", accept=DIFF, limit=limit)

    async def file(self, path: str, sha: str, limit: int) -> bytes:
        return await self._ask("GET", f"/contents/{quote(path)}?ref={quote(sha)}", accept=RAW, limit=limit)

    async def set_status(self, sha: str, status: dict[str, str]) -> None:
        await self._json("POST", f"/statuses/{quote(sha)}", status)

    async def find_comment(self, number: int, marker: str) -> int | None:
        """The id of the first comment that begins with `marker`."""
        for page in range(1, MAX_PAGES + 1):
            rows = await self._json("GET", f"/issues/{number}/comments?per_page={PAGE}&page={page}")
            try:
                found = next((int(row["id"]) for row in rows if str(row["body"]).startswith(marker)), None)
            except (KeyError, TypeError, ValueError):
                raise HostError("bad_answer") from None
            if found is not None or len(rows) < PAGE:
                return found
        return None

    async def add_comment(self, number: int, body: str) -> int:
        made = await self._json("POST", f"/issues/{number}/comments", {"body": body})
        try:
            return int(made["id"])
        except (KeyError, TypeError, ValueError):
            raise HostError("bad_answer") from None

    async def change_comment(self, comment: int, body: str) -> None:
        await self._json("PATCH", f"/issues/comments/{comment}", {"body": body})

    async def delete_comment(self, comment: int) -> None:
        await self._ask("DELETE", f"/issues/comments/{comment}")

    async def _json(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        try:
            return orjson.loads(await self._ask(method, path, body))
        except orjson.JSONDecodeError:
            raise HostError("bad_answer") from None

    async def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, str] | None = None,
        accept: str = JSON,
        limit: int = MAX_JSON_BYTES,
    ) -> bytes:
        headers = {"Accept": accept, "X-GitHub-Api-Version": "2022-11-28"}
        if self.token.value:
            headers["Authorization"] = f"Bearer {self.token.value}"
        url = f"{self.api_url}/repos/{self.repository}{path}"
        try:
            with wire_errors():
                async with http_session(self.allow_local).request(
                    method, check_url(url, self.allow_local), json=body, headers=headers, allow_redirects=False,
                    timeout=TIMEOUT,
                ) as reply:  # fmt: skip
                    if code := _refused(reply):
                        raise HostError(code)
                    return await _content(reply, limit)
        except ProviderError as failure:
            raise HostError(failure.code) from None


async def _content(reply: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for chunk in reply.content.iter_chunked(65_536):
        content += chunk
        if len(content) > limit:
            raise HostError("too_large")
    return bytes(content)


def _refused(reply: aiohttp.ClientResponse) -> str:
    status = reply.status
    if status < 300:
        return ""
    if status < 400:
        return "moved"
    limited = reply.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in reply.headers
    if status == 429 or (status == 403 and limited):
        return "rate_limited"
    return {401: "unauthorised", 403: "unauthorised", 404: "not_found", 406: "too_large"}.get(status, f"http_{status}")


def ask_host(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run `work` to its end from a thread without an event loop: what pages and the API call."""

    async def whole() -> Answer:
        try:
            return await work()
        finally:
            await close_sessions()

    return asyncio.run(whole())
