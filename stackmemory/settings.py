"""All settings, from the environment alone. Without any, a person's own copy on SQLite.

docs/self-hosting.md lists every variable read here.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp import constants as csp
from django.core.exceptions import ImproperlyConfigured

from stackmemory.lib import objects
from stackmemory.lib.database_url import database_settings

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

# --- Where we are -----------------------------------------------------------------------------
# Railway names the public host and the port; anyone else says SITE_URL.
RAILWAY_HOST = env.str("RAILWAY_PUBLIC_DOMAIN", default="")
SITE_URL = env.str(
    "SITE_URL",
    default=f"https://{RAILWAY_HOST}"
    if RAILWAY_HOST
    else f"http://localhost:{env.str('PORT', default='8000')}",
).rstrip("/")
SITE = urlsplit(SITE_URL)
SECURE = SITE.scheme == "https"
PRODUCTION = SECURE or "RAILWAY_ENVIRONMENT" in env.ENVIRON
DEBUG = env.bool("DEBUG", default=False)

VAR_DIR = Path(env.str("VAR_DIR", default=str(VAR_DIR)))


def local_secret_key() -> str:
    """A key kept in var/, so that people stay logged in when a local server restarts."""
    path = VAR_DIR / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
        return path.read_text().strip()


SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Give the web and worker processes the same long random value, "
            "for example the output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    SECRET_KEY = local_secret_key()
# Keys that were in use before: what they signed or encrypted is still understood.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=[SITE.hostname or "localhost"]
    + ([] if SECURE else ["localhost", "127.0.0.1", "[::1]"])
    + (["healthcheck.railway.app"] if RAILWAY_HOST else []),
)
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# Login with GitHub or Google is offered where both halves of its credentials are given.
LOGIN_PROVIDERS = [
    name
    for name in ("github", "google")
    if env.str(f"{name.upper()}_CLIENT_ID", default="")
    and env.str(f"{name.upper()}_CLIENT_SECRET", default="")
]

# --- Applications -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_q",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    *(f"allauth.socialaccount.providers.{name}" for name in LOGIN_PROVIDERS),
    "stackmemory.apps.StackMemoryConfig",
    "workspaces",
    "frames",
    "search",
]
MIDDLEWARE = [
    "stackmemory.health.ProbeMiddleware",
    "stackmemory.metrics.MeasureMiddleware",
    "stackmemory.answers.AnswerMiddleware",
    "stackmemory.lib.replica.RememberWrites",
    "stackmemory.read_only.ReadOnlyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "stackmemory.lib.reader_zone.ReaderZoneMiddleware",
    "workspaces.middleware.WorkspaceMiddleware",
]
ROOT_URLCONF = "stackmemory.urls"
WSGI_APPLICATION = "stackmemory.wsgi.application"
ASGI_APPLICATION = "stackmemory.asgi.application"
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
                "workspaces.context_processors.navigation",
            ],
        },
    }
]

# --- Database ---------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'stackmemory.sqlite3'}")
# Connections of a web process, shared by its requests (serving.py says how many); a command and a
# worker have one thread, and share nothing.
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
DATABASES = {
    "default": database_settings(DATABASE_URL, require_tls=PRODUCTION, pool=DATABASE_POOL_SIZE)
}
# A streaming replica, for what may be a moment old (lib/replica.py).
DATABASE_REPLICA_URL = env.str("DATABASE_REPLICA_URL", default="")
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = database_settings(
        DATABASE_REPLICA_URL, require_tls=PRODUCTION, pool=DATABASE_POOL_SIZE
    )
    DATABASE_ROUTERS = ["stackmemory.lib.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Past a pooler in transaction mode, for what has to stay connected: LISTEN.
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", default="")

# --- Cache and sessions: tables that are not logged (docs/postgres-for-everything.md) ---------
CACHES = {
    "default": {"BACKEND": "stackmemory.lib.cache.DatabaseCache"},
    # What concerns one process alone.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# --- People -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "workspaces:start"
LOGOUT_REDIRECT_URL = "account_login"
# Closed, a new person needs an invitation.
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=True)
ACCOUNT_ADAPTER = "workspaces.accounts.AccountAdapter"
ACCOUNT_FORMS = {"signup": "workspaces.forms.SignupForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_CHANGE_EMAIL = True
# A local copy works without any mail being read.
ACCOUNT_EMAIL_VERIFICATION = env.str(
    "EMAIL_VERIFICATION", default="mandatory" if PRODUCTION else "none"
)
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = SITE.scheme
# Counted in the cache; guessing passwords is also limited exactly, by rows (workspaces/throttle.py).
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
}
# Proxies in front of us whose X-Forwarded-For is believed; 0 believes none.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=1 if RAILWAY_HOST else 0)
MFA_ADAPTER = "workspaces.accounts.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "StackMemory"
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE
MFA_ALLOW_UNVERIFIED_EMAIL = not PRODUCTION
SOCIALACCOUNT_ADAPTER = "workspaces.accounts.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = {
    name: {
        "APPS": [
            {
                "client_id": env.str(f"{name.upper()}_CLIENT_ID"),
                "secret": env.str(f"{name.upper()}_CLIENT_SECRET"),
                "key": "",
            }
        ],
        "SCOPE": {"github": ["user:email"], "google": ["profile", "email"]}[name],
        "OAUTH_PKCE_ENABLED": True,
    }
    for name in LOGIN_PROVIDERS
}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Security: follows the scheme of SITE_URL -------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=SECURE)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
X_FRAME_OPTIONS = "DENY"
# No inline script or style at all: a script is a file of ours, or carries the request's nonce.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.NONE],
        "script-src": [csp.SELF, csp.NONCE],
        "style-src": [csp.SELF, csp.NONCE],
        "img-src": [csp.SELF, "data:"],  # data: is the QR code of two-factor login
        "font-src": [csp.SELF],
        "connect-src": [csp.SELF],
        "manifest-src": [csp.SELF],
        "object-src": [csp.NONE],
        "base-uri": [csp.NONE],
        "frame-ancestors": [csp.NONE],
        # Browsers apply this to where a form's answer redirects, too.
        "form-action": [
            csp.SELF,
            *(
                {"github": "https://github.com", "google": "https://accounts.google.com"}[name]
                for name in LOGIN_PROVIDERS
            ),
        ],
    }
}

# While it is being moved (docs/moving.md): whatever writes is answered 503, reading goes on.
READ_ONLY = env.bool("READ_ONLY", default=False)

# Streams of news that one key or person may hold open in each web process.
LIVE_STREAMS = env.int("LIVE_STREAMS", default=20)

# Requests are counted in memory and written this often; 0 leaves it to whoever calls flush().
USAGE_FLUSH_SECONDS = env.int("USAGE_FLUSH_SECONDS", default=60)

# --- Language, time, files --------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Uploaded stores wait here until their import has run.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "files")))
OBJECTS_S3_BUCKET = env.str("OBJECTS_S3_BUCKET", default="")
OBJECTS_S3 = {
    "endpoint": env.str("OBJECTS_S3_ENDPOINT", default=""),
    "region": env.str("OBJECTS_S3_REGION", default=""),
    "key": env.str("OBJECTS_S3_KEY", default=""),
    "secret": env.str("OBJECTS_S3_SECRET", default=""),
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # What is kept for long and seldom read.
    "objects": objects.bucket(OBJECTS_S3_BUCKET, **OBJECTS_S3)
    if OBJECTS_S3_BUCKET
    else objects.folder(env.str("OBJECTS_ROOT", default=str(VAR_DIR / "objects"))),
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
# A payload of an event that takes more lies in the object store, and its row has a preview.
LARGE_PAYLOAD_BYTES = env.int("LARGE_PAYLOAD_BYTES", default=64 * 1024)
# Whether months of events long past leave for the object store: on, off, or where it is a bucket.
COLD_STORAGE = env.str("COLD_STORAGE", default="auto")
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=2 * 1024**3)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# --- Backups (docs/backup.md) ------------------------------------------------------------------
BACKUP_TO = env.str("BACKUP_TO", default="")  # a directory, or storage:objects
BACKUP_KEY = env.str("BACKUP_KEY", default="")
BACKUP_EVERY_HOURS = env.int("BACKUP_EVERY_HOURS", default=24)
BACKUP_KEEP = env.int("BACKUP_KEEP", default=7)
BACKUP_DATABASE_URL = env.str("BACKUP_DATABASE_URL", default="")

# --- Jobs (django-q2 over the same database) --------------------------------------------------
# How long a job stays with a worker that says nothing of it; a dead one's are handed out again.
JOBS_LEASE = env.int("JOBS_LEASE_SECONDS", default=20)
# What becomes of a job is kept by lib/queue.py, so that of django-q2's own keeping nothing is used.
Q_CLUSTER = {
    "name": "stackmemory",
    "broker_class": "stackmemory.lib.broker.JobBroker",
    "workers": env.int("WORKERS", default=2),
    "queue_limit": 4,
    "bulk": 10,
    "timeout": 3600,
    "retry": 2 * 3600,
    "save_limit": -1,
    "catch_up": False,
    "cache": "process",
    "label": "Jobs",
    "sync": env.bool("JOBS_IN_PROCESS", default=False),
}

# --- Search -----------------------------------------------------------------------------------
# local: a small model that comes with the installation; openai: an endpoint; none: words alone.
EMBEDDINGS = env.str("EMBEDDINGS", default="local")
EMBEDDINGS_URL = env.str("EMBEDDINGS_URL", default="https://api.openai.com/v1")
EMBEDDINGS_KEY = env.str("EMBEDDINGS_KEY", default="")
EMBEDDINGS_MODEL = env.str("EMBEDDINGS_MODEL", default="text-embedding-3-small")
EMBEDDINGS_DIMENSION = env.int("EMBEDDINGS_DIMENSION", default=1536)
# openai: closed frames get a summary by an endpoint of that kind; none: digests are counted alone.
SUMMARIES = env.str("SUMMARIES", default="none")
SUMMARIES_URL = env.str("SUMMARIES_URL", default="https://api.openai.com/v1")
SUMMARIES_KEY = env.str("SUMMARIES_KEY", default="")
SUMMARIES_MODEL = env.str("SUMMARIES_MODEL", default="gpt-4o-mini")
# For so many days it can be read what an agent was given; 0 is for ever.
CONTEXT_DAYS = env.int("CONTEXT_DAYS", default=180)

# --- Metrics ---------------------------------------------------------------------------------
# /metrics answers whoever shows the token, or connects from one of the networks.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.list(
    "METRICS_NETWORKS", default=[] if PRODUCTION else ["127.0.0.0/8", "::1/128"]
)

# --- Logs -------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "stackmemory.lib.logs.Lines",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "json": {"()": "stackmemory.lib.logs.JsonLines"},
    },
    "filters": {"request": {"()": "stackmemory.lib.logs.WithRequest"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", default="json" if PRODUCTION else "line"),
            "filters": ["request"],
        }
    },
    "root": {
        "handlers": ["console"],
        "level": env.str("LOG_LEVEL", default=logging.getLevelName(logging.INFO)),
    },
}

# --- E-mail -----------------------------------------------------------------------------------
# EMAIL_URL as django-environ reads it, e.g. smtp+tls://user:password@host:587
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL",
    default=f"StackMemory <noreply@{SITE.hostname or 'localhost'}>",
)
