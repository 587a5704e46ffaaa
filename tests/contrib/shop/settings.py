"""A project of Django that numbers its invoices, set up by the environment of a test."""

import json
import os
from typing import Any

SECRET_KEY = "not a secret"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["sequences", "quoth.contrib.django", "tests.contrib.shop"]
# Alias -> settings. SHOP_DEFAULT is the one that is also "default".
_KNOWN: dict[str, dict[str, Any]] = json.loads(os.environ["SHOP_DATABASES"])
DATABASES = {"default": _KNOWN[os.environ.get("SHOP_DEFAULT", "sqlite")], **_KNOWN}
QUOTH = {
    "default": {
        "URLS": [os.environ["SHOP_QUOTH"]],
        "DATABASE": "shop",
        "HOLDER": "the shop",
        "LEASE_SECONDS": float(os.environ.get("SHOP_LEASE_SECONDS", "60")),
    }
}
