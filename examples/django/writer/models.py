from django.conf import settings
from django.db import models


class Project(models.Model):
    slug = models.SlugField(max_length=64, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL)
    open_to_visitors = models.BooleanField(default=False)

    @classmethod
    def visible_to(cls, user):
        """Returns the projects of a member, or for users who are not signed in those that are open to visitors."""
        if user.is_authenticated:
            return cls.objects.filter(members=user)
        return cls.objects.filter(open_to_visitors=True)
