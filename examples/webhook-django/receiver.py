#!/usr/bin/python3
"""
Receives events of Writer Presence in Django: it verifies the signature, drops duplicates, and prints the rest.

    examples/webhook-django/receiver.py --secret-file FILE [--port 8002]

In your own site you need `webhook`, `verify`, `handle` and the line of `urlpatterns`.
"""

import argparse
import base64
import hashlib
import hmac
import json
import time
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

TOLERANCE = 5 * 60  # seconds by which the clocks may differ


def verify(secret, headers, body):
    """Reports whether the request is signed by the secret: https://www.standardwebhooks.com, "Verifying webhook authenticity"."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{identifier}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # There are two signatures while the secret is changed.
    return any(hmac.compare_digest(expected.encode(), given.encode()) for given in headers.get("webhook-signature", "").split(" "))


@csrf_exempt  # the signature shows who sends
@require_POST
def webhook(request):
    if not verify(settings.WEBHOOK_SECRET, request.headers, request.body):
        return JsonResponse({"error": "the signature is wrong, or too old"}, status=401)
    for event in json.loads(request.body)["data"]:
        # No duplicate arrives after an hour. With several processes, use a cache that they share, or a table with the id as
        # its key in the transaction of what the event changes.
        if cache.get(event["id"]) is None:
            handle(event)
            cache.set(event["id"], True, 3600)
    return HttpResponse(status=204)  # any 2xx accepts all events of the batch


def handle(event):
    """This is where your application does something."""
    data = event["data"]
    users = data.get("users", [data["user"]] if "user" in data else [])
    print(f"{event['type']} project={data['project']} section={json.dumps(data.get('section', ''))} {', '.join(u['username'] for u in users)}", flush=True)


urlpatterns = [path("webhooks/presence/", webhook)]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret-file", required=True, help="the file of --webhook-secret-file, with one line")
    parser.add_argument("--port", type=int, default=8002)
    arguments = parser.parse_args()
    with open(arguments.secret_file) as file:
        secret = file.read().strip()
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], WEBHOOK_SECRET=secret)
    with make_server("127.0.0.1", arguments.port, get_wsgi_application()) as server:
        print(f"waiting for webhooks at http://127.0.0.1:{server.server_port}/webhooks/presence/", flush=True)
        server.serve_forever()
