"""The lab from file to verdict, with everything real; and whatever may happen to it in between."""

import json
import os
import signal

import httpx
import jsonschema
import pytest

from lab.programs import kill, wait_for_end
from racelab_operator.report.model import report_schema
from whole.racelab import Home, experiment

LONG = {"requests": 4000, "window": 5}


def test_a_file_in_a_proved_verdict_out(home: Home) -> None:
    code, out, err = home.run("run", home.experiment("atomic_only, row_lock"), "--json", "-", "--quiet")
    assert code == 0, err
    report = home.report(out)
    jsonschema.validate(report, report_schema())
    naive, locked = report["steps"]
    assert (naive["claim"], naive["outcome"], naive["verdict"]) == ("racy", "Anomalous", "Confirmed")
    assert naive["lost"] > 0
    assert naive["drift_cents"] == -100 * naive["lost"] == -naive["absolute_drift_cents"]
    assert (locked["claim"], locked["outcome"], locked["verdict"]) == ("safe", "Consistent", "Confirmed")
    assert (locked["lost"], locked["drift_cents"]) == (0, 0)
    for step in (naive, locked):
        assert step["operations"] == {"ok": 60, "fail": 0, "info": 0}
        assert step["entries"] == 60
        assert len(step["replicas_seen"]) == 3
        assert 0 <= step["start_skew_microseconds"] < 50_000


def test_withdrawals_show_what_each_strategy_claims(home: Home) -> None:
    # F() overdraws only where the last amounts are paid out. Three writers in step would end at zero exactly, if what
    # there is could be shared by three: 32 amounts cannot.
    strategies = "atomic_only, f_expression, conditional_update"
    file = home.file(experiment("withdraw", strategies, window=20, requests=64))
    code, out, err = home.run("run", file, "--json", "-", "--quiet")
    assert code == 0, out + err
    naive, unchecked, conditional = home.report(out)["steps"]
    assert naive["lost"] > 0
    assert naive["overdrafts"]["visible"] == 0
    assert unchecked["overdrafts"] == {"visible": 1, "hidden": 0}
    assert (unchecked["lost"], unchecked["drift_cents"]) == (0, 0)
    assert conditional["outcome"] == "Consistent"
    assert conditional["operations"]["fail"] == 32


# The strategies, a racy one first; accounts enough that each batch finds a fresh one; what must show.
OTHER_SCENARIOS = {
    "transfer": ("atomic_only, row_lock", 2, "lost_update"),
    "redeem": ("check_then_lock, conditional_update", 5, "visible_overdraft"),
    "joint": ("joint_read, joint_lock", 1, "write_skew"),
    "open": ("get_or_create, get_or_create_unique", 5, "duplicate"),
}


def test_every_other_scenario_shows_what_each_strategy_claims(home: Home) -> None:
    file = home.file(
        *(
            experiment(scenario, strategies, name=scenario, accounts=accounts, window=10)
            for scenario, (strategies, accounts, _) in OTHER_SCENARIOS.items()
        )
    )
    code, out, err = home.run("run", file, "--json", "-", "--quiet")
    assert code == 0, out + err
    reports = home.report(out)
    jsonschema.validate(reports, report_schema())
    for report, (scenario, (_, _, anomaly)) in zip(reports, OTHER_SCENARIOS.items(), strict=True):
        racy, safe = report["steps"]
        assert (racy["outcome"], safe["outcome"]) == ("Anomalous", "Consistent"), scenario
        assert racy["anomalies"][anomaly] > 0
        assert not any(safe["anomalies"].values())
        assert sum(safe["operations"].values()) == 60


def test_the_same_file_can_be_run_again_in_the_same_home(home: Home) -> None:
    file = home.experiment("row_lock", requests=30)
    for _ in range(2):
        code, out, _ = home.run("run", file)
        assert code == 0
        assert "whole: Confirmed" in out


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_what_it_knows_and_leaves_nothing(home: Home, interrupt: signal.Signals) -> None:
    process = home.start("run", home.experiment(**LONG), "--json", "report.json")  # type: ignore[arg-type]
    record = home.loaded(process)
    process.send_signal(interrupt)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "Traceback" not in err
    report = json.loads((home.path / "report.json").read_text())
    assert report["verdict"] == "Unknown"
    home.assert_nothing_is_left(record)


def test_a_killed_racelab_leaves_nothing_and_the_next_run_works(home: Home) -> None:
    process = home.start("run", home.experiment(**LONG))  # type: ignore[arg-type]
    record = home.loaded(process)
    process.kill()
    process.communicate()
    home.assert_nothing_is_left(record)
    assert home.run("run", home.experiment("row_lock", requests=30))[0] == 0


def test_a_killed_database_ends_the_run_with_a_clear_message(home: Home) -> None:
    process = home.start("run", home.experiment("atomic_only, row_lock", **LONG))  # type: ignore[arg-type]
    record = home.loaded(process)
    kill(home.directory, "postgresql")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "postgresql" in (out + err).lower()
    assert "Traceback" not in out + err
    home.assert_nothing_is_left(record)


def test_a_killed_replica_comes_back_and_the_step_ends_with_an_honest_verdict(home: Home) -> None:
    process = home.start("run", home.experiment("row_lock", requests=700, window=5), "--json", "-", "--quiet")
    record = home.loaded(process)
    kill(home.directory, "bank-1")
    out, err = process.communicate(timeout=90)
    (step,) = home.report(out)["steps"]
    assert step["operations"]["ok"] + step["operations"]["fail"] + step["operations"]["info"] == 700, err
    assert step["lost"] == 0
    assert step["verdict"] == "Confirmed", step["reason"]
    assert process.returncode == 0
    home.assert_nothing_is_left(record)


def test_a_second_run_beside_the_first_is_told_who_is_there(home: Home) -> None:
    first = home.start("run", home.experiment("row_lock", requests=300))
    record = home.lab(first)
    code, _, err = home.run("run", home.experiment("row_lock", requests=300))
    assert code == 2
    assert str(first.pid) in err
    assert first.communicate(timeout=60) is not None
    assert first.returncode == 0
    home.assert_nothing_is_left(record)


def test_a_bank_that_is_kept_up_can_be_raced_by_hand(home: Home) -> None:
    process = home.start("up", "--replicas", "2")
    record = home.lab(process)
    addresses = record.addresses
    assert addresses is not None
    form = {"account": "1", "amount": "100", "operation": "by hand"}
    served = [httpx.post(f"{addresses.http_url}/bank/deposit/row_lock/", data=form, trust_env=False) for _ in range(2)]
    assert {answer.headers["Racelab-Replica"] for answer in served} == {"bank-0", "bank-1"}
    chunks = httpx.post(
        f"{addresses.http_url}/bank/deposit/row_lock/",
        content=iter([b"account=1&amount=100&", b"operation=in+chunks"]),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        trust_env=False,
    )
    assert (chunks.status_code, chunks.json()["balance_after_cents"]) == (200, 300)
    code, out, _ = home.run("drift", "--json")
    drift = json.loads(out)
    assert code == 0
    opening = drift["opening_cents"]  # an item and a code are on the playground, too
    assert (drift["ledger_total_cents"], drift["balance_cents"]) == (opening + 300, opening + 300)
    assert (drift["drift_cents"], drift["lost"], drift["anomalies"]) == (0, 0, {})
    assert "playground" in home.run("drift")[1]
    code, out, _ = home.run("status")
    assert code == 0
    assert addresses.https_url in out
    assert home.run("down")[0] == 0
    process.communicate(timeout=20)
    home.assert_nothing_is_left(record)


def test_who_is_named_by_a_flag_can_log_in_and_codes_can_be_made_while_the_bank_is_up(home: Home) -> None:
    process = home.start("up", "--replicas", "2", "--user", "ann:secret", "--delay-scale", "0")
    record = home.lab(process)
    addresses = record.addresses
    assert addresses is not None
    assert process.stdout is not None
    assert "Ctrl-C ends it.\n" in iter(process.stdout.readline, ""), "everybody was made"
    with httpx.Client(base_url=addresses.http_url, trust_env=False) as browser:
        token = browser.get("/auth/login/").cookies["csrftoken"]
        form = {"username": "ann", "password": "secret", "csrfmiddlewaretoken": token}
        assert browser.post("/auth/login/", data=form).status_code == 302
        seen = [browser.get("/accounts/withdraw/") for _ in range(2)]
        assert {(answer.text, answer.headers["Racelab-Replica"]) for answer in seen} == {
            ("1000000", "bank-0"),
            ("1000000", "bank-1"),
        }, "a session holds on every replica"
        [code] = json.loads(home.run("codes", "new", "--json")[1])["codes"]
        use = {"item": code["item"], "code": code["code"]}
        assert [browser.post("/demo/atomic_long_delay/", data=use).status_code for _ in range(2)] == [200, 422]
    drift = json.loads(home.run("drift", "--json")[1])
    assert (drift["entries"], drift["lost"], drift["duplicate_balances"]) == (2, 0, 0)
    assert home.run("down")[0] == 0
    process.communicate(timeout=20)
    home.assert_nothing_is_left(record)


def test_a_port_in_use_is_told_before_anything_starts(home: Home) -> None:
    process = home.start("up")
    record = home.lab(process)
    assert record.addresses is not None
    port = record.addresses.https_url.rpartition(":")[2]
    other = Home(home.path / "other")
    other.path.mkdir()
    code, _, err = other.run("run", home.experiment(), "--https-port", port)
    assert code == 2
    assert port in err
    assert "--https-port" in err
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert not wait_for_end(home.known)
