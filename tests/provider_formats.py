"""The bodies that `provider_server` sends, in OpenAI's and in Anthropic's format: two classes with the same methods.

`tool` is the name of a forced tool, whose arguments are then the text; `finish` is "", "length", "filter" or
"refusal"; `usage` is (prompt tokens, output tokens) or None when they are not to be told.
"""

from functools import lru_cache
from typing import Any

import orjson

Usage = tuple[int, int] | None


class OpenAIFormat:
    """Chat completions."""

    @staticmethod
    def demand(body: dict[str, Any]) -> tuple[str, str, str]:
        """(format, tool name, schema as JSON text) that the request asks for."""
        if tools := body.get("tools"):
            function = tools[0]["function"]
            return "tool", function["name"], orjson.dumps(function["parameters"]).decode()
        wanted = body.get("response_format") or {}
        schema = wanted.get("json_schema", {}).get("schema")
        return wanted.get("type", ""), "", orjson.dumps(schema).decode() if schema else ""

    @staticmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": kind, "code": kind, "param": None}}

    def document(self, model: str, text: str, tool: str, finish: str, usage: Usage) -> dict[str, Any]:
        said = self._said(text, tool) if finish != "refusal" else {"refusal": "I cannot help with that."}
        choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": self._finish(finish, tool)}
        return self._event(model, [choice], usage)

    def head(self, model: str, tool: str, usage: Usage, think: bool) -> list[bytes]:
        events = [self._delta(model, {"role": "assistant", "content": None if tool else ""})]
        return events + [self._delta(model, {"reasoning_content": "Let me see. "})] * (3 if think else 0)

    def piece(self, model: str, text: str, tool: str) -> bytes:
        return self._delta(model, self._said(text, tool, index=True))

    def tail(self, model: str, tool: str, finish: str, usage: Usage, flags: frozenset[str]) -> list[bytes]:
        events = [self._delta(model, {"refusal": "I cannot help with that."})] if finish == "refusal" else []
        if "nofinish" not in flags:
            events.append(self._delta(model, {}, self._finish(finish, tool)))
        if usage:
            events.append(event_line(self._event(model, [], usage)))
        return events if "nodone" in flags else [*events, b"data: [DONE]\n\n"]

    def without_choices(self, model: str) -> list[bytes]:
        return [event_line(self._event(model, [], None))] * 3 + [b"data: [DONE]\n\n"]

    @staticmethod
    def _finish(finish: str, tool: str) -> str:
        reasons = {"length": "length", "filter": "content_filter"}
        return reasons.get(finish, "tool_calls" if tool else "stop")

    @staticmethod
    def _said(text: str, tool: str, *, index: bool = False) -> dict[str, Any]:
        if not tool:
            return {"content": text}
        call = {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": text}}
        return {"content": None, "tool_calls": [{"index": 0, **call} if index else call]}

    def _delta(self, model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return event_line(self._event(model, [{"index": 0, "delta": delta, "finish_reason": finish}], None))

    @staticmethod
    def _event(model: str, choices: list[Any], usage: Usage) -> dict[str, Any]:
        counts = usage and {
            "prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage),
            "prompt_tokens_details": {"cached_tokens": 0},
        }  # fmt: skip
        return {
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices,
            "usage": counts,
        }  # fmt: skip


class AnthropicFormat:
    """Messages."""

    @staticmethod
    def demand(body: dict[str, Any]) -> tuple[str, str, str]:
        if tools := body.get("tools"):
            return "tool", tools[0]["name"], orjson.dumps(tools[0]["input_schema"]).decode()
        wanted = body.get("output_format") or body.get("output_config", {}).get("format") or {}
        schema = wanted.get("schema")
        return wanted.get("type", ""), "", orjson.dumps(schema).decode() if schema else ""

    @staticmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def document(self, model: str, text: str, tool: str, finish: str, usage: Usage) -> dict[str, Any]:
        content = {"type": "text", "text": text}
        if tool:
            content = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": orjson.loads(text)}
        reason = self._finish(finish, tool)
        return {**self._message(model, usage), "content": [content] if text else [], "stop_reason": reason}

    def head(self, model: str, tool: str, usage: Usage, think: bool) -> list[bytes]:
        block: dict[str, Any] = {"type": "text", "text": ""}
        if tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        return [
            self._event("message_start", message=self._message(model, usage)),
            self._event("content_block_start", index=0, content_block=block),
            self._event("ping"),
        ]

    def piece(self, model: str, text: str, tool: str) -> bytes:
        delta = {"type": "input_json_delta", "partial_json": text} if tool else {"type": "text_delta", "text": text}
        return self._event("content_block_delta", index=0, delta=delta)

    def tail(self, model: str, tool: str, finish: str, usage: Usage, flags: frozenset[str]) -> list[bytes]:
        reason = {"stop_reason": self._finish(finish, tool), "stop_sequence": None}
        return [
            self._event("content_block_stop", index=0),
            self._event("message_delta", delta=reason, usage={"output_tokens": usage[1] if usage else 0}),
            self._event("message_stop"),
        ]

    def without_choices(self, model: str) -> list[bytes]:
        start = self._event("message_start", message=self._message(model, None))
        return [start, *self.tail(model, "", "", None, frozenset())[1:]]

    @staticmethod
    def _finish(finish: str, tool: str) -> str:
        reasons = {"length": "max_tokens", "filter": "refusal", "refusal": "refusal"}
        return reasons.get(finish, "tool_use" if tool else "end_turn")

    @staticmethod
    def _message(model: str, usage: Usage) -> dict[str, Any]:
        counts = {"input_tokens": usage[0] if usage else 0, "output_tokens": 1}
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
            "stop_sequence": None, "usage": counts,
        }  # fmt: skip

    @staticmethod
    def _event(kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\n".encode() + event_line({"type": kind, **fields})


OPENAI, ANTHROPIC = OpenAIFormat(), AnthropicFormat()
Format = OpenAIFormat | AnthropicFormat


def event_line(event: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


@lru_cache(maxsize=2_048)
def streamed(
    form: Format, model: str, text: str, tool: str, chunks: int, finish: str, usage: Usage, flags: frozenset[str]
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """A streamed answer as events: what comes first, the pieces of the text, what comes last."""
    size = max(1, -(-len(text) // chunks))
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    first = form.head(model, tool, usage, "think" in flags)
    return first, [form.piece(model, piece, tool) for piece in pieces], form.tail(model, tool, finish, usage, flags)


def prompt_text(body: dict[str, Any]) -> str:
    """Every text of a request, whichever format it has."""
    texts: list[str] = []
    waiting: list[Any] = [[message["content"] for message in body["messages"]], body.get("system", "")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, dict):
            waiting.append(part.get("text", ""))
    return "\n".join(texts)
