from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from .presence import presence
from .views import home, writer

urlpatterns = [
    path("", home, name="home"),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("writer/<slug:project>/", writer, name="writer"),
    path("presence/<slug:project>/", presence),  # for the presence server only; the proxy rejects it from outside
]
