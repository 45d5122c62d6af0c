"""The user model, by its setting: the app that defines it stands above this one and may not be imported."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

if TYPE_CHECKING:
    from crucible_site.models import User
else:
    User = get_user_model()

__all__ = ["User"]
