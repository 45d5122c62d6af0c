"""The adapters by name. A row is loaded on first use, so that LiteLLM costs nothing until somebody needs it."""

from importlib import import_module

from sessions.providers.base import Adapter

ADAPTERS = {
    "openai_wire": "sessions.providers.openai_wire.OpenAIWireAdapter",
    "litellm": "sessions.providers.litellm_adapter.LiteLLMAdapter",
    "demo": "sessions.providers.demo.DemoAdapter",
}


_made: dict[str, Adapter] = {}


def adapter(name: str) -> Adapter:
    """The process's one adapter of that name. Raises KeyError for an unknown one."""
    if name not in _made:
        module, _, attribute = ADAPTERS[name].rpartition(".")
        _made[name] = getattr(import_module(module), attribute)()
    return _made[name]


async def close_adapters() -> None:
    """Give back every connection. Called on the loop that used them."""
    for made in _made.values():
        await made.close()
