"""The page's addresses."""

from django.urls import path

from racelab_bank.page import pressing, streams, views

urlpatterns = [
    path("", views.overview),
    path("events", streams.overview_events),
    path("runs/<str:key>", views.run, name="page-run"),
    path("runs/<str:key>/events", streams.run_events, name="page-run-events"),
    path("runs/<str:key>/anomalies", views.anomalies, name="page-anomalies"),
    path("runs/<str:key>/interleaving", views.interleaving, name="page-interleaving"),
    path("sign-in", pressing.sign_in),
    path("sign-out", pressing.sign_out),
    path("deposit", pressing.deposit_now),
    path("races", pressing.start_race),
    path("races/<str:race>", pressing.show_race),
    path("races/<str:race>/step", pressing.step_race),
]
