from typing import Any

from django.apps import AppConfig
from django.conf import settings


class SiteConfig(AppConfig):
    name = "crucible_site"
    verbose_name = "Crucible"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from crucible_site.second_factors import reseal_second_factors
        from sessions.actions.keys import RESEALERS

        if reseal_second_factors not in RESEALERS:
            RESEALERS.append(reseal_second_factors)
        post_migrate.connect(make_cache_table, sender=self)
        if settings.CRUCIBLE_ENGINE == "celery":
            from crucible_site import celery  # noqa: F401 - makes it the default app before any task is sent


def make_cache_table(using: str, **_: Any) -> None:
    """The `post_migrate` receiver. The table of a database cache belongs to no model."""
    from django.core.management import call_command

    call_command("createcachetable", database=using, verbosity=0)
