"""A mock of model providers that any client can reach over HTTP: OpenAI chat completions and Anthropic messages.

    python -m tests.provider_server [--port 0] [--seconds 900]

from the root of the repository prints its port as one line and stops by itself. It binds to 127.0.0.1.

    POST  .../chat/completions   OpenAI's format, streamed or not
    POST  .../messages           Anthropic's format, streamed or not
    GET   .../models             a list of names; a key that contains "refused" gets 401, here and everywhere.
                                 /many/..., /none/..., /ollama/..., /priced/..., /arguing/..., /silent/... and
                                 /page/... list 400, none, as Ollama does, with price and context, those that settle
                                 in their own time, never, and what is no list
    GET   /stats                 {"requests", "by_model", "by_key", "by_path", "aborted", "most_at_once"}
    GET   /last                  the last request to a model: {"path", "headers", "body"}
    POST  /reset                 forgets both

The model's name says how it behaves: `name[:option=value]...[:flag]...[:fault]`, for example
`alpha:latency=200:chunks=40:interval=5` or `beta:429:after=7:times=2`. What it says depends on `name` alone, but for
`settles` and `dissents`.

Options  latency=MS   before the first byte (0)          chunks=N   pieces of a streamed answer (20)
         interval=MS  between pieces (0)                 times=N    the fault strikes the first N requests only
         after=VALUE  Retry-After, literally; `date` is an HTTP date 30 s ahead
         settles=N    the round of a deliberation from which it takes the shared view (2); 9 never
Flags    nousage      no token counts (OpenAI only)      short      at most 2048 prompt tokens counted (a silent cut)
         nodone       no [DONE]                          nofinish   [DONE] without a finish reason
         json         a JSON document to a stream request      think      reasoning before the text
         fenced       JSON in a code fence, words around it     dissents   refuses in a certification
Faults   400 ... 599   that status                        echo       401 whose body repeats the key
         context      400: the prompt is too long        quota      429: no credit left
         noschema     400 to response_format json_schema
         notools      ... and to tools                   noformat   ... and to json_object
         redirect     307 to /canary here                reset      connection reset before any answer
         silent       accepts, never answers             stall      one piece, then nothing
         drip         never ends                         flood      one endless line
         cut          broken off in the middle           end        ends in the middle, properly framed
         close        ends in the middle, unframed (Connection: close)
         garbage      an event that is not JSON          html       200 with a web page
         error        an error object in the middle of a 200 stream
         nochoices    events without choices             empty      finished without text
         huge         10 MB of text                      badjson    JSON that does not parse
         length       half the text, cut by the token limit
         filter       half the text, then the content filter   refusal    declines
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from tests.provider_answers import answer
from tests.provider_formats import ANTHROPIC, OPENAI, Format, event_line, prompt_text, streamed
from tests.provider_http import HttpConnection, Request, framed
from tests.provider_judging import Manner

HUGE = 10_000_000
DRIP_SECONDS = 0.05
FLOOD_BYTES = 65_536
CANARY_TEXT = "canary: a redirect was followed"

FLAGS = ("nousage", "short", "nodone", "nofinish", "json", "think", "fenced", "dissents")
FINISHES = ("length", "filter", "refusal")
HALVED = ("cut", "end", "close", "error", *FINISHES)
BEGUN = ("stall", "drip", "flood", "garbage")  # faults that strike after the first piece
REFUSALS = {
    "echo": (401, "invalid_api_key", "Incorrect API key provided: {key}"),
    "context": (400, "context_length_exceeded", "This model's maximum context length is 4096 tokens."),
    "quota": (429, "insufficient_quota", "You exceeded your current quota."),
}
REFUSED_FORMATS = {
    "noschema": ("json_schema",),
    "notools": ("json_schema", "tool"),
    "noformat": ("json_schema", "tool", "json_object"),
}
LISTS = {
    "many": [{"id": f"model-{number:03}"} for number in range(400)],
    "none": [],
    "ollama": [{"id": "llama3.2:latest", "object": "model", "created": 1_700_000_000, "owned_by": "library"}],
    "priced": [
        {"id": "acme/large", "context_length": 64_000, "pricing": {"prompt": "0.000001", "completion": "0.000004"}},
        {"id": "acme/embed-small"},
    ],
    "arguing": [
        {"id": f"{name}:latency=700:interval=60:{manner}", "context_length": 128_000}
        for name in ("cherry", "hazel", "rowan")
        for manner in ("settles=2", "settles=3", "settles=9", "dissents")
    ],
}
PAGE = b"<!doctype html>\n<title>Welcome</title>\n"


@dataclass(frozen=True)
class Behaviour:
    name: str
    latency: float = 0
    interval: float = 0
    chunks: int = 20
    times: int = 0
    after: str = ""
    settles: int = 2
    flags: frozenset[str] = frozenset()
    fault: str = ""


@lru_cache(maxsize=4_096)
def behaviour_of(model: str) -> Behaviour:
    name, *words = model.split(":")
    options = dict(word.split("=", 1) for word in words if "=" in word)
    flags = frozenset(word for word in words if word in FLAGS)
    fault = next((word for word in words if "=" not in word and word not in FLAGS), "")
    return Behaviour(
        name, float(options.get("latency", 0)) / 1000, float(options.get("interval", 0)) / 1000,
        int(options.get("chunks", 20)), int(options.get("times", 0)), options.get("after", ""),
        int(options.get("settles", 2)), flags, fault,
    )  # fmt: skip


class Stats:
    def __init__(self) -> None:
        self.open = 0
        self.reset()

    def reset(self) -> None:
        self.by_model: Counter[str] = Counter()
        self.by_key: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.aborted = self.most_at_once = 0
        self.last: Request | None = None

    def count(self, request: Request, model: str) -> int:
        """Counts one request to a model; returns how many that model has had."""
        self.last = request
        self.by_model[model] += 1
        self.by_key[request.key] += 1
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        return self.by_model[model]

    def document(self) -> dict[str, Any]:
        return {
            "requests": self.by_model.total(),
            "by_model": self.by_model,
            "by_key": self.by_key,
            "by_path": self.by_path,
            "aborted": self.aborted,
            "most_at_once": self.most_at_once,
        }

    def last_document(self) -> dict[str, Any]:
        if self.last is None:
            return {}
        return {"path": self.last.path, "headers": self.last.headers, "body": orjson.loads(self.last.body)}


STATS = Stats()


class MockProvider(HttpConnection):
    """Answers as the model's name says."""

    async def respond(self, request: Request) -> None:
        path = request.path.split("?")[0]
        STATS.by_path[path] += 1
        if path == "/stats":
            self.send_json(200, STATS.document())
        elif path == "/last":
            self.send_json(200, STATS.last_document())
        elif path == "/reset":
            STATS.reset()
            self.send_json(200, {})
        elif path == "/canary":
            self.send_json(200, OPENAI.document("canary", CANARY_TEXT, "", "", (1, 1)))
        elif "refused" in request.key:
            self.send_json(401, OPENAI.error("invalid_api_key", "Invalid key."))
        elif path.endswith("/models"):
            await self.list_models(path.split("/")[1])
        elif path.endswith("/chat/completions"):
            await self.complete(request, OPENAI)
        elif path.endswith("/messages"):
            await self.complete(request, ANTHROPIC)
        else:
            self.send_json(404, {"error": "no such path"})

    async def list_models(self, how: str) -> None:
        if how == "silent":
            await asyncio.Event().wait()
        elif how == "page":
            self.send(200, PAGE, "text/html")
        else:
            rows = LISTS.get(how, [{"id": "beta"}, {"id": "alpha"}])
            self.send_json(200, {"object": "list", "data": rows})

    async def complete(self, request: Request, form: Format) -> None:
        body = orjson.loads(request.body)
        how = behaviour_of(body["model"])
        nth = STATS.count(request, body["model"])
        fault = how.fault if not how.times or nth <= how.times else ""
        try:
            if how.latency:
                await asyncio.sleep(how.latency)
            if not self.refuses(request, body, form, how, fault):
                await self.answer(body, form, how, fault)
        except asyncio.CancelledError:
            STATS.aborted += 1
            raise
        finally:
            STATS.open -= 1

    def refuses(self, request: Request, body: dict[str, Any], form: Format, how: Behaviour, fault: str) -> bool:
        """Sends an error instead of an answer, if that is the fault."""
        if fault.isdigit():
            self.send_error(form, int(fault), f"status_{fault}", "The mock was told to say so.", how.after)
        elif fault in REFUSALS:
            status, kind, message = REFUSALS[fault]
            self.send_error(form, status, kind, message.format(key=request.key))
        elif form.demand(body)[0] in REFUSED_FORMATS.get(fault, ()):
            message = "response_format json_schema and tools are not supported"
            self.send_error(form, 400, "invalid_request_error", message)
        elif fault == "redirect":
            self.send(307, b"", "text/plain", "Location: /canary\r\n")
        elif fault == "html":
            self.send(200, PAGE, "text/html")
        elif fault == "reset":
            self.reset_connection()
        else:
            return False
        return True

    async def answer(self, body: dict[str, Any], form: Format, how: Behaviour, fault: str) -> None:
        if fault == "silent":
            await asyncio.Event().wait()
        model, prompt = body["model"], prompt_text(body)
        _, tool, schema = form.demand(body)
        text = _spoiled(answer(how.name, prompt, schema, Manner(how.settles, "dissents" in how.flags)), how, fault)
        usage = None if "nousage" in how.flags else (_counted(prompt, how), len(text) // 4)
        finish = fault if fault in FINISHES else ""
        if body.get("stream") and "json" not in how.flags:
            parts = streamed(form, model, text, tool, how.chunks, finish, usage, how.flags)
            parts = (form.without_choices(model), [], []) if fault == "nochoices" else parts
            await self.stream(form, how, fault, parts)
        elif fault in ("cut", "end", "close"):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
            self.transport.close()
        else:
            document = form.document(model, text, tool, finish, usage)
            self.send_json(200, document | {"choices": []} if fault == "nochoices" else document)

    async def stream(
        self, form: Format, how: Behaviour, fault: str, parts: tuple[list[bytes], list[bytes], list[bytes]]
    ) -> None:
        first, pieces, last = parts
        pieces = pieces[:1] if fault in BEGUN else pieces[: len(pieces) // 2] if fault in HALVED else pieces
        framing = "Connection: close" if fault == "close" else "Transfer-Encoding: chunked"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n\r\n".encode()
        if fault == "close":  # without HTTP's own framing nothing says that the body is not whole
            self.transport.write(head + b"".join([*first, *pieces]))
            self.transport.close()
        elif not fault and not how.interval:
            self.transport.write(head + framed([*first, *pieces, *last]) + b"0\r\n\r\n")
        else:
            self.transport.write(head + framed(first))
            await asyncio.sleep(how.interval)
            for piece in pieces:
                self.transport.write(framed([piece]))
                await asyncio.sleep(how.interval)
            await self.end_stream(form, fault, pieces, last)

    async def end_stream(self, form: Format, fault: str, pieces: list[bytes], last: list[bytes]) -> None:
        if fault == "cut":
            self.transport.close()
            return
        if fault == "stall":
            await asyncio.Event().wait()
        if fault == "flood":
            self.transport.write(framed([b"data: "]))
        while fault in ("drip", "flood"):
            await self.may_write.wait()
            self.transport.write(framed([b"x" * FLOOD_BYTES] if fault == "flood" else pieces))
            await asyncio.sleep(0 if fault == "flood" else DRIP_SECONDS)
        endings = {
            "end": [],
            "garbage": [b'data: {"choices": [{"delta"\n\n', *last],
            "error": [event_line(form.error("server_error", "Overloaded"))],
        }
        self.transport.write(framed(endings.get(fault, last)) + b"0\r\n\r\n")

    def send_error(self, form: Format, status: int, kind: str, message: str, after: str = "") -> None:
        value = formatdate(time.time() + 30, usegmt=True) if after == "date" else after
        self.send_json(status, form.error(kind, message), f"Retry-After: {value}\r\n" if value else "")


def _counted(prompt: str, how: Behaviour) -> int:
    return min(len(prompt) // 4, 2048) if "short" in how.flags else len(prompt) // 4


def _spoiled(text: str, how: Behaviour, fault: str) -> str:
    if fault == "badjson":
        return text[: len(text) * 2 // 3].replace('"', "'") + " and so on"
    if fault == "empty":
        return ""
    if fault == "huge":
        return text + " x" * (HUGE // 2)
    return f"Here is my answer.\n\n```json\n{text}\n```\nI hope it helps." if "fenced" in how.flags else text


@contextmanager
def provider_process(seconds: int = 600) -> Iterator[str]:
    """The mock in a process of its own, which ends by itself after `seconds`; gives its host and port."""
    command = [sys.executable, "-m", "tests.provider_server", "--seconds", str(seconds)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


async def serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(MockProvider, "127.0.0.1", port, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="A mock of model providers; see the head of this file.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seconds", type=float, default=900, help="how long to live")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.seconds))


if __name__ == "__main__":
    main()
