"""`create_owner EMAIL`: the first person of a server for several people, with a link to set a password."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email
from django.db import DatabaseError

from crucible_site import embedded, team
from crucible_site.accounts import set_password_path
from crucible_site.models import User
from sessions.management.prepared import PreparedCommand
from sessions.models import Membership, Role
from sessions.seeding import seed


class Command(PreparedCommand):
    help = "Make a person an operator and an owner of the demo project. Prints a link that sets their password, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="how others see them; default: the e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        try:
            validate_email(email)
            link = f"{self._server()}{set_password_path(_owner(email, options['name']))}"
        except ValidationError:
            raise CommandError(f"{email!r} is not an e-mail address.") from None
        except DatabaseError:
            raise CommandError("The database cannot be reached, or no server has prepared it yet.") from None
        said = ["This link sets the password, once. It works for three days.", link]
        self.stdout.write(embedded.box(said))

    @staticmethod
    def _server() -> str:
        try:
            host, port = (settings.DATA_DIR / "address").read_text().split()
        except FileNotFoundError:
            return str(settings.CRUCIBLE_URL)
        return team.public_url(host, int(port))


def _owner(email: str, name: str) -> User:
    """Somebody who is there already keeps password and projects, and becomes an operator."""
    demo = seed()
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, None, name=name)
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True, is_active=True)
    if demo is not None:
        Membership.objects.update_or_create(project=demo, user=user, defaults={"role": Role.OWNER})
    return user
