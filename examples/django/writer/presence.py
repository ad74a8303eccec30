"""All that the presence server needs of a Django site."""

from django.http import JsonResponse

from .models import Project


def presence(request, project):
    """Says who is asking, if they may see the project. The presence server sends the cookies of the person whom it asks about."""
    if not Project.visible_to(request.user).filter(slug=project).exists():
        return JsonResponse({"user_id": None}, status=404)  # not theirs, or not there: nobody learns which
    if request.user.is_anonymous:
        return JsonResponse({"user_id": None}, status=401)  # a visitor
    return JsonResponse({"user_id": request.user.pk, "username": request.user.get_username()})
