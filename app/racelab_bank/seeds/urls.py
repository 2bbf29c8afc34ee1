"""Where the older systems' clients look for their endpoints."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from racelab_bank.seeds.admin import site
from racelab_bank.seeds.demo import WAYS, demo
from racelab_bank.seeds.hesap import STRATEGIES, hesap
from racelab_bank.seeds.withdrawals import withdraw

urlpatterns = [
    *(path(f"demo/{name}/", demo, {"way": way}) for name, way in WAYS.items()),
    *(
        path(f"{name}{slash}", hesap, {"strategy": strategy})
        for name, strategy in STRATEGIES.items()
        for slash in ("", "/")  # never redirected: that would be a second request
    ),
    path("auth/login/", LoginView.as_view(template_name="racelab/login.html")),
    path("auth/logout/", LogoutView.as_view(next_page="/auth/login/")),
    path("accounts/withdraw/", withdraw),
    path("admin/", site.urls),
]
