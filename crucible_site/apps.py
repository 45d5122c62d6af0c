from django.apps import AppConfig
from django.conf import settings


class SiteConfig(AppConfig):
    name = "crucible_site"
    verbose_name = "Crucible"

    def ready(self) -> None:
        if settings.CRUCIBLE_ENGINE == "celery":
            from crucible_site import celery  # noqa: F401 - makes it the default app before any task is sent
