"""
Creates the tables, a project, users, and a session for each of them, and prints their headers as JSON.

    fill.py PROJECT NUMBER-OF-USERS
"""

import json
import sys

import django
from django.core.management import call_command
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.test import Client

django.setup()

from django.contrib.auth.models import User  # noqa: E402: it needs the line above
from writer_app.models import Project  # noqa: E402

call_command("migrate", verbosity=0)  # the tables of Django, to which those of the site refer
call_command("migrate", run_syncdb=True, verbosity=0)
Project.objects.create(id=sys.argv[1])
headers = []
for i in range(int(sys.argv[2])):
    client, request = Client(), HttpRequest()
    client.force_login(User.objects.create(username=f"Writer {i}"))
    get_token(request)
    csrf, session = request.META["CSRF_COOKIE"], client.cookies["sessionid"].value
    headers.append(f"Cookie: csrftoken={csrf}; sessionid={session}\r\nX-CSRFToken: {csrf}\r\n")
print(json.dumps(headers))
