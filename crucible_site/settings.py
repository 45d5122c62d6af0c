"""All settings, one file. Embedded by default; `DATABASE_URL` and `REDIS_URL` make it scaled.

Every environment variable the product reads stands in this file and in docs/operations.md.
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from crucible_site import environment
from crucible_site.environment import data_directory, flag, hosts, kept_secret, one_of, port, seconds, text, url

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = data_directory("CRUCIBLE_DATA_DIR", BASE_DIR / "data")


def _options(query: str) -> dict[str, Any]:
    """What an address asks of the connection. Empty values count: they undo what stands in `database`."""
    options: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if "prepare_threshold" in options:
        count = options["prepare_threshold"]
        options["prepare_threshold"] = int(count) if count.isdecimal() else None
    return options


def database(address: str) -> dict[str, Any]:
    if not address or address.startswith("sqlite:"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(address.removeprefix("sqlite:///")) or DATA_DIR / "crucible.sqlite3",
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
    parts = urlsplit(address)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A worker that was stopped in the middle of a transaction must not keep its row locks from the others.
            "options": "-c idle_in_transaction_session_timeout=10000",
            # Statements are planned once a connection: planning costs PostgreSQL as much as running them. A pooler
            # that hands connections from one transaction to the next may need `?prepare_threshold=` in the URL.
            "server_side_binding": True,
            "prepare_threshold": 2,
            **_options(parts.query),
        },
    }


# --- where it runs
REDIS_URL = url("REDIS_URL", ("redis", "rediss"), "redis://:password@host:6379/0")
SCALED = bool(REDIS_URL)
HTTPS = flag("CRUCIBLE_HTTPS")
DEBUG = flag("CRUCIBLE_DEBUG")
SECRET_KEY = kept_secret("CRUCIBLE_SECRET_KEY", DATA_DIR / "secret.key")
ALLOWED_HOSTS = hosts("CRUCIBLE_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
DATABASE_URL = url("DATABASE_URL", ("postgres", "postgresql", "sqlite"), "postgres://user:password@host:5432/name")
DATABASES = {"default": database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "crucible_site.urls"
ASGI_APPLICATION = "crucible_site.asgi.application"
# In the database, so that limits on sign-in hold for all web processes, and with Redis away.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "crucible_site_cache"}}

# --- Crucible's own
# What could not be read of the environment, when all of this file has been; `sessions.checks` shows it.
CRUCIBLE_COMPLAINTS = environment.complaints
# celery: workers behind Redis. direct: this process's engine loop; what embedded mode uses, and the fallback.
CRUCIBLE_ENGINE = text("CRUCIBLE_ENGINE") or ("celery" if SCALED else "direct")
# Provider keys are sealed with a key of their own, so that SECRET_KEY can be rotated without losing them.
CRUCIBLE_KEYRING = kept_secret("CRUCIBLE_KEYRING", DATA_DIR / "provider-keys.key")
# Certificates are signed with a key that is derived from this.
CRUCIBLE_SIGNING_KEY = kept_secret("CRUCIBLE_SIGNING_KEY", DATA_DIR / "certificates.key")
# Hosts a provider may have although they are http or private. Embedded mode allows all of this machine's.
CRUCIBLE_LOCAL_PROVIDERS = hosts("CRUCIBLE_LOCAL_PROVIDERS") or ([] if SCALED else ["*"])
# Seconds of one call to a provider, by the names of `sessions.gateway.Limits`.
CRUCIBLE_DEADLINES: dict[str, Any] = seconds("CRUCIBLE_DEADLINES", ("connect", "first_byte", "idle", "wall"))
CRUCIBLE_SIGNUP = flag("CRUCIBLE_SIGNUP")
# Whether several people share this server; `serve --host` says so too.
CRUCIBLE_TEAM = SCALED or HTTPS
# How people reach it, for links in mail and notifications; `serve` fills it in on plain http.
CRUCIBLE_URL = url("CRUCIBLE_URL", ("http", "https"), "https://crucible.example") or (
    f"https://{ALLOWED_HOSTS[0].lstrip('.')}" if HTTPS else f"http://127.0.0.1:{port('CRUCIBLE_PORT', 8000)}"
)
CRUCIBLE_MAIL = bool(text("EMAIL_HOST"))
CRUCIBLE_MAX_BODY_BYTES = 24 * 1024 * 1024

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
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
    "crucible_site.middleware.retry_after",
    "django.middleware.security.SecurityMiddleware",
    "crucible_site.middleware.StaticFiles",
    "crucible_site.middleware.compression",
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
ACCOUNT_EMAIL_VERIFICATION = "optional" if CRUCIBLE_MAIL else "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds; the page that asks says so
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_RATE_LIMITS = {"invitation": "30/m/ip"}
MFA_ADAPTER = "crucible_site.second_factors.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Crucible"
# Many installations cannot send the mail that would verify an address.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Browsers allow passkeys on http for localhost alone, whatever we say.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if CRUCIBLE_MAIL else 'console'}.EmailBackend"
EMAIL_TIMEOUT = 10
EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = port("EMAIL_PORT", 25)
EMAIL_HOST_USER = text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = text("EMAIL_FROM", "crucible@localhost")

UNFOLD = {"SITE_TITLE": "Crucible", "SITE_HEADER": "Crucible"}

# --- cookies and headers
# On plain http cookies are shared between ports of one host: the name carries the port, so that two
# installations on one machine do not sign each other out.
_cookie = "__Host-crucible" if HTTPS else f"crucible_{port('CRUCIBLE_PORT', 8000)}"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_cookie}_session", f"{_cookie}_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "crucible_site.views.csrf_failed"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# More than this host is for its owner to promise: browsers hold other sites of the domain to it, for a year at least.
_hsts = one_of("CRUCIBLE_HSTS", "", ("subdomains", "preload"))
SECURE_HSTS_PRELOAD = HTTPS and _hsts == "preload"
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and bool(_hsts)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# W005 and W021 ask for what CRUCIBLE_HSTS leaves to the operator.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# On loopback http the embedded mode cannot have TLS cookies, redirects or HSTS.
SILENCED_SYSTEM_CHECKS += [] if HTTPS else ["security.W004", "security.W008", "security.W012", "security.W016"]

# --- uploads: the body is capped before Django sees it (crucible_site/server.py)
DATA_UPLOAD_MAX_MEMORY_SIZE = CRUCIBLE_MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 1_000  # a folder; most of its files are passed over

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

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "sessions.vault.SecretFilter"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["stderr"], "level": one_of("CRUCIBLE_LOG_LEVEL", "WARNING", LOG_LEVELS)},
    "loggers": {
        name: {"level": "WARNING"} for name in ("LiteLLM", "httpx", "httpcore", "openai", "aiohttp", "daphne", "celery")
    },
}
