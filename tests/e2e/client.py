"""One person's way in: the public API with a key, and the pages with a cookie."""

import http.client
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from sessions.states import AT_REST

Found = TypeVar("Found")


def eventually(what: Callable[[], Found], seconds: float = 30.0) -> Found:
    """The first true value of `what`. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not come true in {seconds} s"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """(status, code) of a reply in the API's error shape, with a sentence for people in it."""
        fault = self.json["error"]
        assert fault.keys() == {"code", "message", "request_id"}
        assert fault["message"].endswith(".")
        return self.status, fault["code"]


@dataclass
class Client:
    """`heard` keeps every reply: the search for secrets reads it."""

    port: int
    key: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request. `body` is sent as JSON unless it is bytes; `Idempotency_Key=...` names a header."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        usual = {"Authorization": f"Bearer {self.key}"} | ({"Content-Type": "application/json"} if data else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=70)
        try:
            connection.request(method, path, data, usual | named)
            reply = connection.getresponse()
            answer = Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()
        self.heard.append(answer.body)
        return answer

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, (path, answer.text)
        return answer.json

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, body or {})
        assert answer.status in (200, 201), (path, answer.text)
        return answer.json

    def answers(self) -> bool:
        """Whether a server is there and reaches its database."""
        try:
            return self.ask("GET", "/healthz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    # --- reviews

    def artifact(self, name: str, text: str) -> str:
        return str(self.post("/api/v1/artifacts", {"project": "demo", "name": name, "text": text})["code"])

    def draft(self, models: Sequence[str], artifact: str, **more: Any) -> str:
        """A review by `models`: its code."""
        return str(self.post("/api/v1/sessions", review_of(models, artifact, **more))["code"])

    def review(self, models: Sequence[str], artifact: str, **more: Any) -> str:
        """A review that is under way, and asks even what was answered before."""
        return self.draft(models, artifact, start=True, **{"fresh": True, **more})

    def session(self, code: str) -> Any:
        return self.get(f"/api/v1/sessions/{code}")

    def rest(self, code: str, seconds: float = 45.0) -> Any:
        """The session once it is at rest. It is asked again and again: a wait that a restart cuts off is no answer."""

        def at_rest() -> Any:
            found = self.session(code)
            return found if found["status"] in AT_REST else None

        return eventually(at_rest, seconds)

    def completed(self, code: str, seconds: float = 45.0) -> Any:
        found = self.rest(code, seconds)
        assert found["status"] == "completed", (found["problem"], self.kinds(code))
        return found

    def events(self, code: str) -> list[Any]:
        """The whole log, which has no gap."""
        events = list(self.get(f"/api/v1/sessions/{code}/events")["events"])
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        return events

    def kinds(self, code: str) -> list[str]:
        return [event["kind"] for event in self.events(code)]

    def told(self, code: str, kind: str) -> list[Any]:
        """The data of all events of one kind."""
        return [event["data"] for event in self.events(code) if event["kind"] == kind]

    def paid_twice(self, code: str) -> list[str]:
        """Steps that were answered more than once."""
        paths = [data["path"] for data in self.told(code, "call.finished")]
        return sorted({path for path in paths if paths.count(path) > 1})

    # --- pages

    def look(self, path: str) -> Answer:
        """A page as the signed-in owner sees it."""
        answer = self.ask("GET", path, Authorization="", Cookie=self._cookie())
        self._keep_cookies(answer)
        return answer

    def page(self, path: str) -> str:
        """The same, of a page that is there."""
        answer = self.look(path)
        assert answer.status == 200, (path, answer.status)
        return answer.text

    def submit(self, page: str, action: str = "", **fields: str) -> Answer:
        """Open a page and send a form of it to `action`, as a browser does; without one to the page itself."""
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page(page))[0]
        form = urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        kind = "application/x-www-form-urlencoded"
        sent = self.ask("POST", action or page, form, Authorization="", Cookie=self._cookie(), Content_Type=kind)
        self._keep_cookies(sent)
        return sent

    def sign_in(self, link: str) -> None:
        """Use a single-use link."""
        assert self.submit("/" + link.split("/", 3)[3]).status == 302

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep_cookies(self, answer: Answer) -> None:
        self.cookies |= dict(re.findall(r"(crucible_\d+_\w+)=([^;,]+)", answer.headers.get("set-cookie", "")))


def review_of(models: Sequence[str], artifact: str, **more: Any) -> dict[str, Any]:
    """The body that creates a review with one reviewer per model."""
    seats = [
        {"name": f"Seat {number}", "role": "reviewer", "model_id": model} for number, model in enumerate(models, 1)
    ]
    return {"project": "demo", "kind": "review", "roster": seats, "artifacts": [artifact]} | more
