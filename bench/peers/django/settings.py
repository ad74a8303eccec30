"""Settings of a site with the middleware and the sessions that Django sets up by default, and connections that stay open."""

import os

SECRET_KEY = "not secret: for the benchmark only"
ALLOWED_HOSTS = ["localhost"]

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "writer_app"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "writer_app.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("BENCH_POSTGRES"),  # the directory of its socket
        "NAME": "postgres",
        "USER": "bench",
        "CONN_MAX_AGE": None,  # otherwise each request connects anew, which costs more than the request
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
