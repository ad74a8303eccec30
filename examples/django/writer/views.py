"""The pages of the site. The view for the presence server is in presence.py."""

from django.contrib.auth.views import redirect_to_login
from django.shortcuts import get_object_or_404, render

from .models import Project


def home(request):
    return render(request, "home.html", {"projects": Project.visible_to(request.user).order_by("slug")})


def writer(request, project):
    projects = Project.visible_to(request.user)
    if request.user.is_anonymous and not projects.filter(slug=project).exists():
        return redirect_to_login(request.path)
    project = get_object_or_404(projects, slug=project)
    return render(request, "writer.html", {"project": project, "config": {"project": project.slug, "user": request.user.pk}})
