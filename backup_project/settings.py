"""Django's settings. What a user may set is read by `worker.engine.settings` alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import dj_database_url
from redis.connection import parse_url

from backup_project.logs import logging_config
from backup_project.secret_key import secret_key
from backup_project.web_settings import read_web_settings
from worker.engine.settings import read_settings

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
VAR_DIR.mkdir(exist_ok=True)

_web = read_web_settings(BASE_DIR)
_read = read_settings(base_dir=BASE_DIR)
TARKEEP = dataclasses.replace(_read, problems=_read.problems + _web.problems)

DEBUG = False
SECRET_KEY = secret_key(TARKEEP.secret_key, VAR_DIR / "django-secret-key")
ALLOWED_HOSTS = list(_web.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(_web.trusted_origins)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "backups_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "backups_app.headers.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "backup_project.urls"
ASGI_APPLICATION = "backup_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        Path(database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # Measured: without these three, eight processes that claim jobs get
        # "database is locked"; with them none does.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;",
        }
    else:
        database["OPTIONS"] = {"connect_timeout": 5, **database.get("OPTIONS", {})}
    return database


DATABASES = {"default": _database(TARKEEP.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

# Publishing knows no database numbers: without the number in the name, two Tarkeeps that share
# a Redis would hear each other's jobs.
_redis_database = parse_url(TARKEEP.redis_url).get("db", 0)  # type: ignore[no-untyped-call]
CHANNEL_LAYERS = {
    "default": {
        # Not the core layer: that one drops from the 101st message of a burst on (measured).
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [TARKEEP.redis_url], "prefix": f"tarkeep-{_redis_database}-"},
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backups_app.api.auth.BearerToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "backups_app.api.errors.answer",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tarkeep",
    "DESCRIPTION": "Backs up a data folder to an S3-compatible bucket, and brings it back.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "ENUM_NAME_OVERRIDES": {
        "JobState": "backups_app.states.State",
        "JobKind": "backups_app.models.job.Kind",
        "JobTrigger": "backups_app.models.job.Trigger",
    },
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# Static files are served from where the packages keep them: no collecting step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

LOGGING = logging_config(TARKEEP.logs_path / "app.log")
