"""All settings, one file. Embedded by default; `DATABASE_URL` and `REDIS_URL` make it scaled.

Every environment variable the product reads stands in this file and in docs/operations.md.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str) -> bool:
    return text(name).lower() in {"1", "true", "yes", "on"}


def words(name: str) -> list[str]:
    return [word.strip() for word in text(name).split(",") if word.strip()]


DATA_DIR = Path(text("CRUCIBLE_DATA_DIR") or BASE_DIR / "data").resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)


def kept_secret(variable: str, file_name: str) -> str:
    """From the environment, else from the data directory, where the first process to ask creates it."""
    if value := text(variable):
        return value
    path = DATA_DIR / file_name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    with os.fdopen(handle, "w") as file:
        value = secrets.token_urlsafe(48)
        file.write(value)
    return value


def database(url: str) -> dict[str, Any]:
    if not url or url.startswith("sqlite:"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(url.removeprefix("sqlite:///")) or DATA_DIR / "crucible.sqlite3",
            "CONN_MAX_AGE": None,
            # A file: the journal writer and web threads of one test need one database.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
            "OPTIONS": {
                # Deferred transactions that read first fail at once under contention; IMMEDIATE ones queue.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # secure_delete: erased text must not survive in free pages.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A worker that was stopped in the middle of a transaction must not keep its row locks from the others.
        "OPTIONS": {"options": "-c idle_in_transaction_session_timeout=10000", **dict(parse_qsl(parts.query))},
    }


# --- where it runs
REDIS_URL = text("REDIS_URL")
SCALED = bool(REDIS_URL)
HTTPS = flag("CRUCIBLE_HTTPS")
DEBUG = flag("CRUCIBLE_DEBUG")
SECRET_KEY = kept_secret("CRUCIBLE_SECRET_KEY", "secret.key")
ALLOWED_HOSTS = words("CRUCIBLE_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
DATABASES = {"default": database(text("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "crucible_site.urls"
ASGI_APPLICATION = "crucible_site.asgi.application"
# In the database, so that limits on sign-in hold for all web processes, and with Redis away.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "crucible_site_cache"}}

# --- Crucible's own
# celery: workers behind Redis. direct: this process's engine loop; what embedded mode uses, and the fallback.
CRUCIBLE_ENGINE = text("CRUCIBLE_ENGINE") or ("celery" if SCALED else "direct")
# Provider keys are sealed with a key of their own, so that SECRET_KEY can be rotated without losing them.
CRUCIBLE_KEYRING = kept_secret("CRUCIBLE_KEYRING", "provider-keys.key")
# Hosts a provider may have although they are http or private. Embedded mode allows all of this machine's.
CRUCIBLE_LOCAL_PROVIDERS = words("CRUCIBLE_LOCAL_PROVIDERS") or ([] if SCALED else ["*"])
# Seconds of one call to a provider, by the names of `sessions.gateway.Limits`: `first_byte=600,idle=300`.
CRUCIBLE_DEADLINES: dict[str, Any] = {
    name: float(value) for name, _, value in (word.partition("=") for word in words("CRUCIBLE_DEADLINES"))
}
CRUCIBLE_SIGNUP = flag("CRUCIBLE_SIGNUP")
CRUCIBLE_MAX_BODY_BYTES = 24 * 1024 * 1024

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "channels",
    "django_htmx",
    "ninja",
    "crucible_site.apps.SiteConfig",
    "sessions.apps.SessionsConfig",
    "chat.apps.ChatConfig",
    "workflows.apps.WorkflowsConfig",
    "billing.apps.BillingConfig",
]
MIDDLEWARE = [
    "crucible_site.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "crucible_site.middleware.StaticFiles",
    "crucible_site.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- accounts
AUTH_USER_MODEL = "crucible_site.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "crucible_site.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_ON_GET = False
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if text('EMAIL_HOST') else 'console'}.EmailBackend"
EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = int(text("EMAIL_PORT", "25"))
EMAIL_HOST_USER = text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = text("EMAIL_FROM", "crucible@localhost")

UNFOLD = {"SITE_TITLE": "Crucible", "SITE_HEADER": "Crucible"}

# --- cookies and headers
# On plain http cookies are shared between ports of one host: the name carries the port, so that two
# installations on one machine do not sign each other out.
_cookie = "__Host-crucible" if HTTPS else f"crucible_{text('CRUCIBLE_PORT', '8000')}"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_cookie}_session", f"{_cookie}_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "crucible_site.views.csrf_failed"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# On loopback http the embedded mode cannot have TLS cookies, redirects or HSTS.
SILENCED_SYSTEM_CHECKS = [] if HTTPS else ["security.W004", "security.W008", "security.W012", "security.W016"]

# --- uploads: the body is capped before Django sees it (crucible_site/server.py)
DATA_UPLOAD_MAX_MEMORY_SIZE = CRUCIBLE_MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 200

# --- words and files
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of one that is not there yet
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Celery: a doorbell. Retries, results and truth live in our own tables.
CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The default gives up after a hundred tries and ends the worker; ours has a sweeper and lives without Redis.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# No retries either when a session is sent: the request would wait for seconds, and can carry the session itself.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "ack_emulation": False,
    "max_retries": 0,
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
}
# Tasks end at once; without this a worker that loses Redis warns of lost ones.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "sessions.vault.SecretFilter"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["stderr"], "level": text("CRUCIBLE_LOG_LEVEL", "WARNING")},
    "loggers": {
        name: {"level": "WARNING"} for name in ("LiteLLM", "httpx", "httpcore", "openai", "aiohttp", "daphne", "celery")
    },
}
