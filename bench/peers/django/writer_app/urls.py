from django.urls import path

from . import views

urlpatterns = [
    path("writer/api/project/<int:project_id>/presence/update/", views.presence_update),
    path("writer/api/project/<int:project_id>/presence/list/", views.presence_list),
]
