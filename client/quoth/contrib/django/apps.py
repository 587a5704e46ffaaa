"""The entry in INSTALLED_APPS."""

from django.apps import AppConfig
from django.core import checks


class QuothConfig(AppConfig):
    """`"quoth.contrib.django"`."""

    name = "quoth.contrib.django"
    label = "quoth"
    verbose_name = "quoth"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Settings are checked with all others; see `checks`."""
        from quoth.contrib.django import checks as ours

        checks.register(ours.check_settings)
        checks.register(ours.check_isolation)
        checks.register(ours.check_transactions, checks.Tags.database)
