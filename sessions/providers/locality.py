"""Which providers may be http, on this machine or in a private network."""

from urllib.parse import urlsplit

from django.conf import settings


def may_be_local(base_url: str) -> bool:
    """By operator setting only: all hosts in embedded mode, the listed ones (`host` or `host:port`) in scaled mode."""
    allowed = settings.CRUCIBLE_LOCAL_PROVIDERS
    parts = urlsplit(base_url)
    return bool(base_url) and ("*" in allowed or parts.hostname in allowed or parts.netloc in allowed)
