"""The mock must give answers worth testing with: valid for our schemas, verbatim quotes, models that overlap in part."""

from typing import Any

import orjson
import pytest

from sessions.engine.parsing import parse_review
from sessions.engine.run import OutputSchema
from sessions.engine.schemas import LEAD_BRIEF, REVIEW
from sessions.engine.text import number_lines
from sessions.providers.openai_wire import OpenAIWireAdapter
from tests.provider_answers import answer, defects_in

SOURCE = "\n".join(f"    total_{n} = price_{n} * amount[{n}]  # step {n}" for n in range(60))
PROMPT = (
    "BEGIN UNTRUSTED 0123 (artifact 1: code, to review)\nfile: shop.py\n"
    + number_lines(SOURCE)
    + "\nEND UNTRUSTED 0123\n\nBEGIN UNTRUSTED 0123 (hints of the lead instance)\n1| look at total_99 = nothing\n"
    "END UNTRUSTED 0123"
)
