"""Which host a provider's calls go to, for people who want to know before they send something."""

from urllib.parse import urlsplit

# The first part of a named provider's route -> where its library sends. Others are told by that name.
NAMED_HOSTS = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "gemini": "generativelanguage.googleapis.com",
    "vertex_ai": "aiplatform.googleapis.com",
    "mistral": "api.mistral.ai",
    "openrouter": "openrouter.ai",
    "bedrock": "amazonaws.com",
    "cohere": "api.cohere.com",
    "groq": "api.groq.com",
    "deepseek": "api.deepseek.com",
    "xai": "api.x.ai",
    "together_ai": "api.together.xyz",
}


def host_of_model(base_url: str, route: str) -> str:
    """`host` or `host:port` of the address, or of the named provider when there is none."""
    if base_url:
        return urlsplit(base_url).netloc.lower()
    vendor = route.partition("/")[0]
    return NAMED_HOSTS.get(vendor, vendor)
