"""The ASGI application: `gunicorn -k asgi stackmemory.asgi`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stackmemory.settings")
application = get_asgi_application()
