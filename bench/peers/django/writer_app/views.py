"""
The views of the original specification: they do what its text says, with its faults. Everybody in the benchmark is signed
in, so there are no visitors.
"""

import json
from datetime import timedelta

from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from .models import WriterPresence

COLORS = ["#ef4444", "#f59e0b", "#10b981", "#3b82f6", "#6366f1", "#8b5cf6", "#ec4899", "#14b8a6"]


@require_http_methods(["POST"])
def presence_update(request, project_id):
    WriterPresence.objects.update_or_create(
        user=request.user,
        project_id=project_id,
        defaults={"current_section": json.loads(request.body)["section"], "is_active": True},
    )
    return JsonResponse({"success": True})


@require_http_methods(["GET"])
def presence_list(request, project_id):
    online = WriterPresence.objects.filter(
        project_id=project_id, is_active=True, last_seen__gte=timezone.now() - timedelta(minutes=2)
    ).select_related("user")
    return JsonResponse({
        "success": True,
        "users": [
            {
                "user_id": p.user.id,
                "username": p.user.username,
                "section": p.current_section,
                "last_seen": p.last_seen.isoformat(),
                "avatar_color": COLORS[p.user.id % len(COLORS)],
            }
            for p in online
        ],
    })
