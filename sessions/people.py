"""The user model, by its setting: the app that defines it stands above this one and may not be imported."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

if TYPE_CHECKING:
    from crucible_site.models import User
else:
    User = get_user_model()

__all__ = ["User", "called"]


def called(name: str, email: str) -> str:
    """What a person is called where their words and decisions stand: the name, else what is before the @. Reports and
    exports travel; whole addresses are for those who may see who belongs to the project."""
    return name or email.partition("@")[0]
