import os
from pathlib import Path

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for this example only")
INSTALLED_APPS = ["orders"]
ROOT_URLCONF = "config.urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parents[1] / "orders.sqlite3"},
}

# Actorline's two addresses and its queue; `actorline up` prints them
ACTORLINE_REDIS_URL = os.environ.get("ACTORLINE_REDIS_URL", "redis://localhost:6379/0")
ACTORLINE_RESULTS_URL = os.environ.get("ACTORLINE_RESULTS_URL", "redis://localhost:6379/1")
ACTORLINE_QUEUE = os.environ.get("ACTORLINE_NAMESPACE", "actorline")

PRICES_ACTOR = os.environ.get("PRICES_ACTOR", "apify/web-scraper")
