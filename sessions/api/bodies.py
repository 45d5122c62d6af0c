"""What every body has in common: strict JSON in, the same error shape out."""

import json
import re
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Schema
from ninja.parser import Parser
from pydantic import ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[-a-zA-Z0-9_]{1,60}$")]
Microcredits = Annotated[int, Field(ge=0, le=2**53)]
Cursor = Annotated[int, Field(ge=0, le=2**53)]
Limit = Annotated[int, Field(ge=1, le=500)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class BadJson(ValueError):
    """The body cannot be read; the message says why and may be shown."""


class StrictParser(Parser):
    """JSON in UTF-8 without NaN, doubled names or characters that databases refuse. A form is no JSON: None."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type == "multipart/form-data":
            return None
        return read_json(request.body)


def read_json(body: bytes) -> Any:
    """Raises BadJson."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise BadJson("The body is not UTF-8.") from None
    except RecursionError:
        raise BadJson("The body is nested too deeply.") from None
    except BadJson:
        raise
    except ValueError:
        raise BadJson("The body is not JSON.") from None
    _check_texts(value)
    return value


def _no_constant(name: str) -> None:
    raise BadJson(f"{name} is not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("A name stands twice in one object of the body.")
    return found


def _check_texts(value: Any) -> None:
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            waiting.extend(here.keys())
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
        elif isinstance(here, str) and _UNSTORABLE.search(here):
            raise BadJson("A text of the body holds NUL or half a character.")


class Body(Schema):
    """A request body: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


class Fault(Schema):
    code: str
    message: str
    request_id: str


class ErrorBody(Schema):
    """Every reply from 400 on. `code` is contract, `message` is for people."""

    error: Fault


FAULTS = frozenset({400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503})


def replies(status: int, schema: Any) -> dict[Any, Any]:
    """The `response` of an operation: its reply, and the error shape for everything else."""
    return {status: schema, FAULTS: ErrorBody}
