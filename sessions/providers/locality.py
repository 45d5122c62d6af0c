"""Which providers may be http, on this machine or in a private network."""

from urllib.parse import urlsplit

from django.conf import settings


def may_be_local(base_url: str) -> bool:
    """By operator setting only: all hosts in embedded mode, the listed ones (`host` or `host:port`) in scaled mode."""
    allowed = settings.CRUCIBLE_LOCAL_PROVIDERS
    parts = urlsplit(base_url)
    return bool(base_url) and ("*" in allowed or parts.hostname in allowed or parts.netloc in allowed)


def webhook_may_be_local(url: str) -> bool:
    """Narrower than for providers, because every owner of a project enters webhooks and only operators enter providers:
    where several people share a server, only hosts that are listed by name."""
    parts = urlsplit(url)
    allowed = set(settings.CRUCIBLE_LOCAL_PROVIDERS)
    return ("*" in allowed and not settings.CRUCIBLE_TEAM) or bool({parts.hostname, parts.netloc} & allowed)


def is_own_server(base_url: str) -> bool:
    """Whether a provider is a server on this machine or in a network of one's own: only those may be http. Such a
    server sends nobody a bill."""
    return base_url.startswith("http:")
