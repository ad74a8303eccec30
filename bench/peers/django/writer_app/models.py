"""The model of the original specification."""

from django.contrib.auth.models import User
from django.db import models


class Project(models.Model):
    pass


class WriterPresence(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    current_section = models.CharField(max_length=100)
    last_seen = models.DateTimeField(auto_now=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        unique_together = [("user", "project")]
        indexes = [models.Index(fields=["project", "is_active", "last_seen"])]
