"""The tiles of "Connect a model": where each maker's models are asked, and what a person has to bring.

An address that is not ours to know (a resource, a region, a machine) is the person's to paste; everything else, the
route of every model included, follows from this table.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Wire = Literal["openai", "anthropic"]
CLOUD_CALLS, LOCAL_CALLS = 16, 1

_HOST_ALONE = re.compile(r"[\w.-]+(:\d+)?(/.*)?")
_ENDPOINTS = re.compile(r"/(chat/completions|completions|models|messages)/?$")
# Where a name says who made the model, for servers that offer the models of many: the first fragment found counts.
_FAMILIES = {
    "claude": "anthropic",
    "gpt": "openai",
    "gemini": "google",
    "gemma": "google",
    "mistral": "mistral",
    "mixtral": "mistral",
    "ministral": "mistral",
    "codestral": "mistral",
    "devstral": "mistral",
    "magistral": "mistral",
    "llama": "meta",
    "qwen": "qwen",
    "qwq": "qwen",
    "deepseek": "deepseek",
    "grok": "xai",
    "phi": "microsoft",
    "command": "cohere",
    "nemotron": "nvidia",
    "granite": "ibm",
    "glm": "zhipu",
    "kimi": "moonshot",
    "minimax": "minimax",
}


@dataclass(frozen=True, slots=True)
class Maker:
    """One tile. `base_url` is what a new provider gets unless the person gives another; empty: the adapter knows it, or
    the person has to say. `list_url` is where models are listed when that is elsewhere. `path` completes an address
    that is a host alone. `prefix` stands before a name in a route. `tables` are the prefixes under which LiteLLM's
    table knows the models. `key_at` says where keys are made, `note` what else a person has to know."""

    key: str
    label: str
    wants: Literal["key", "address", "both"]
    base_url: str = ""
    list_url: str = ""
    path: str = "/v1"
    adapter: str = "openai_wire"
    wire: Wire = "openai"
    prefix: str = ""
    family: str = ""
    tables: tuple[str, ...] = ()
    local: bool = False
    address_example: str = ""
    key_example: str = ""
    key_at: str = ""
    note: str = ""


MAKERS: dict[str, Maker] = {
    maker.key: maker
    for maker in (
        Maker(
            "openai", "OpenAI", "key", "https://api.openai.com/v1",
            family="openai", tables=("", "openai/"), key_example="sk-…", key_at="platform.openai.com, API keys",
        ),
        Maker(
            "anthropic", "Anthropic", "key", list_url="https://api.anthropic.com/v1", path="",
            adapter="litellm", wire="anthropic", prefix="anthropic/", family="anthropic", tables=("", "anthropic/"),
            key_example="sk-ant-…", key_at="console.anthropic.com, API keys",
        ),
        Maker(
            "google", "Google", "key", "https://generativelanguage.googleapis.com/v1beta/openai",
            path="/v1beta/openai", family="google", tables=("gemini/",), key_at="aistudio.google.com, Get API key",
        ),
        Maker(
            "mistral", "Mistral", "key", "https://api.mistral.ai/v1",
            family="mistral", tables=("mistral/",), key_at="console.mistral.ai, API keys",
        ),
        Maker(
            "openrouter", "OpenRouter", "key", "https://openrouter.ai/api/v1",
            path="/api/v1", tables=("openrouter/",), key_example="sk-or-…", key_at="openrouter.ai, Keys",
            note="The list is the same for every key: whether yours works, the test call tells.",
        ),
        Maker(
            "azure", "Azure", "both", path="/openai/v1", tables=("azure/",),
            address_example="https://your-resource.openai.azure.com",
            key_at="the Azure portal, your resource, Keys and Endpoint",
            note="Azure lists models, but is asked by the names of your deployments. Tick those that are deployed"
            " under the model's own name, or name a deployment.",
        ),
        Maker(
            "bedrock", "Bedrock", "both", "https://bedrock-mantle.us-east-1.api.aws/v1",
            tables=("bedrock_mantle/", "bedrock/"), key_at="the Amazon Bedrock console, API keys",
            note="Put your region into the address.",
        ),
        Maker(
            "ollama", "Ollama", "address", "http://localhost:11434/v1", local=True,
            note="Ollama cuts what is longer than its own context length, silently. Set OLLAMA_CONTEXT_LENGTH where it"
            " runs, and the same number here.",
        ),
        Maker(
            "lmstudio", "LM Studio", "address", "http://localhost:1234/v1", local=True,
            note="Switch the local server on in its Developer tab.",
        ),
        Maker("vllm", "vLLM", "address", "http://localhost:8000/v1", local=True),
        Maker(
            "compatible", "OpenAI-compatible", "both", address_example="http://localhost:8000/v1",
            note="Its address ends before /chat/completions. A server without keys needs none here.",
        ),
    )
}  # fmt: skip


def base_url_for(maker: Maker, typed: str) -> str:
    """The base URL that a typed address means: with a scheme, with the usual path when it is a host alone, and without
    the endpoint that people copy along. The maker's own when nothing was typed; not judged here."""
    address = typed.strip().rstrip("/")
    if not address:
        return maker.base_url
    if "://" not in address and _HOST_ALONE.fullmatch(address):
        address = f"{'http' if _looks_local(address) else 'https'}://{address}"
    address = _ENDPOINTS.sub("", address)
    return address + maker.path if address.count("/") == 2 else address


def list_url_for(maker: Maker, base_url: str) -> str:
    """Where `/models` is appended for a provider of this maker."""
    if maker.wire == "openai":
        return base_url
    return base_url if base_url.endswith("/v1") else f"{base_url}/v1" if base_url else maker.list_url


def maker_at(base_url: str) -> Maker | None:
    """The cloud maker whose own host this is."""
    host = urlsplit(base_url).netloc.lower()
    return next((maker for maker in MAKERS.values() if host and not maker.local and host == _host(maker)), None)


def family_of(maker: Maker | None, name: str) -> str:
    """Who made a model: what decides whether two instances count as different. Empty when nothing tells."""
    if maker and maker.family:
        return maker.family
    lower = name.lower()
    return next((family for fragment, family in _FAMILIES.items() if fragment in lower), "")


def _host(maker: Maker) -> str:
    return urlsplit(maker.base_url).netloc


def _looks_local(address: str) -> bool:
    host = address.partition("/")[0].partition(":")[0]
    return "." not in host or re.fullmatch(r"[\d.]+", host) is not None
