"""The view with which a Django site authenticates users for the presence server."""

from django.http import JsonResponse

from .models import Project


def presence(request, project):
    """Returns the signed-in user if they may see the project. The presence server forwards the cookies of that user."""
    if not Project.visible_to(request.user).filter(slug=project).exists():
        return JsonResponse({"user_id": None}, status=404)  # the same for a project of others and an unknown one
    if request.user.is_anonymous:
        return JsonResponse({"user_id": None}, status=401)  # a visitor
    return JsonResponse({"user_id": request.user.pk, "username": request.user.get_username()})
