"""The API server goes away in mid-load, and comes back."""

from __future__ import annotations

import os
import subprocess

import pytest

from cluster.lab import Lab, spec

OUTAGE = os.environ.get("RACELAB_API_SERVER_OUTAGE", "")
SECONDS = 20

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not OUTAGE,
        reason=f"RACELAB_API_SERVER_OUTAGE: given nothing, allowed a command that stops the API server for {SECONDS} s",
    ),
]


def test_an_api_server_that_is_away_in_mid_load_costs_no_verdict(lab: Lab) -> None:
    lab.make("outage", spec(strategies=["row_lock", "f_expression"], load={"requests": 200}))
    lab.is_loaded("outage")
    subprocess.run(["bash", "-c", OUTAGE], check=True, timeout=120, capture_output=True)

    lab.confirms("outage", 180)
    lab.ran_once("outage", 200, steps=2)
