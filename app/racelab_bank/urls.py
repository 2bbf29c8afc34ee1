"""What the edge sends to the bank."""

from django.urls import include, path

from racelab_bank import views

urlpatterns = [
    path("", views.index),
    path("bank/<str:scenario>/<str:strategy>/", views.operation),
    path("", include("racelab_bank.seeds.urls")),
]

handler400 = "racelab_bank.views.bad_request"
handler404 = "racelab_bank.views.not_found"
handler500 = "racelab_bank.views.server_error"
