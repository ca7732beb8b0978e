"""Django's settings. What a user may set is read by `worker.engine.settings` alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import dj_database_url
from redis.connection import parse_url

from backup_project.logs import logging_config
from backup_project.private import private_file, private_folder
from backup_project.secret_key import secret_key
from backup_project.web_settings import in_effect, read_web_settings
from worker.engine.settings import read_settings
from worker.engine.version import VERSION

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
private_folder(VAR_DIR)

_web = read_web_settings(BASE_DIR)
# As read last, without what concerns the web part alone: `backups_app.current` reads it anew.
TARKEEP_READ = read_settings(base_dir=BASE_DIR)
WEB_PROBLEMS = _web.problems
TARKEEP = dataclasses.replace(TARKEEP_READ, problems=TARKEEP_READ.problems + WEB_PROBLEMS)

SETTINGS_IN_EFFECT = in_effect(BASE_DIR)

DEBUG = False
SECRET_KEY = secret_key(TARKEEP.secret_key, VAR_DIR / "django-secret-key")
ALLOWED_HOSTS = list(_web.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(_web.trusted_origins)
TRUSTED_PROXIES = _web.trusted_proxies
API_RATE = _web.api_rate

INSTALLED_APPS = [
    "backups_app.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "backups_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "backups_app.headers.SecurityHeaders",
    "backups_app.proxies.NoteUnnamed",
    "backups_app.compressed.CompressedStatic",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "backups_app.languages.PageLanguage",
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
                "django.template.context_processors.i18n",
            ]
        },
    }
]


# A server that is gone without a word would be waited for by a quarter of an hour and more.
# (PostgreSQL, "Parameter Key Words"; seconds, and milliseconds for the last.)
_GIVE_UP_SILENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def _database(url: str) -> dict[str, Any]:
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        private_file(Path(database["NAME"]))
        # Measured: without these three, eight processes that claim jobs get
        # "database is locked"; with them none does.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;",
        }
    else:
        database["OPTIONS"] = {**_GIVE_UP_SILENCE, **database.get("OPTIONS", {})}
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
    "DEFAULT_PERMISSION_CLASSES": ["backups_app.api.permissions.Declared"],
    "DEFAULT_THROTTLE_CLASSES": ["backups_app.api.throttles.PerCaller"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backups_app.api.parsers.BoundedJSON"],
    "DEFAULT_SCHEMA_CLASS": "backups_app.api.autoschema.Schema",
    "EXCEPTION_HANDLER": "backups_app.api.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tarkeep",
    "DESCRIPTION": "Backs up a data folder to an S3-compatible bucket, and brings it back.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "backups_app.api.described.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "FindingLevel": "worker.engine.doctor.finding.LEVELS",
        "VerdictLevel": "backups_app.verdict.LEVELS",
        "JobState": "backups_app.states.State",
        "JobKind": "backups_app.models.job.Kind",
        "JobTrigger": "backups_app.models.job.Trigger",
    },
}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("pt-br", "Português")]
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# Static files are served from where the packages keep them: no collecting step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 << 20  # as in backups_app.api.parsers
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What `check --deploy` asks for and `backups_app.headers` does by what a request came by: HTTPS
# behind a trusted proxy, or plain HTTP on 127.0.0.1, where these settings would lock people out.
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # Strict-Transport-Security
    "security.W008",  # a redirect to HTTPS: the proxy's
    "security.W012",  # Secure on the session's cookie
    "security.W016",  # Secure on the CSRF cookie
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

LOGGING = logging_config(TARKEEP.logs_path / "app.log", style=TARKEEP.log_format)
