from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.programs import wait_for_end
from racelab_operator.platforms.local import state
from racelab_operator.platforms.local.addresses import Addresses
from racelab_operator.platforms.local.errors import LabError
from racelab_operator.platforms.local.processes import Identity, is_running, read_stat

ADDRESSES = Addresses("http://h", "https://h", "http://a", Path("/ca"), "token", "postgresql:///x", ("bank-0",))
GONE = Identity(2**22 + 1, 1)


def sleeper() -> subprocess.Popen[bytes]:
    """Start a session that waits for ever, with a child of its own."""
    script = "import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', 'input()'])"
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", script], stdin=subprocess.PIPE, start_new_session=True)


def identity_of(pid: int) -> Identity:
    stat = read_stat(pid)
    assert stat is not None
    return stat.identity


def test_a_record_is_read_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    record = replace(state.new_record("a test"), addresses=ADDRESSES, children=(("edge", GONE),))
    state.write(tmp_path, record)
    assert state.read(tmp_path) == record
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"owner": 1}', "null"])
def test_a_record_that_cannot_be_understood_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert state.read(tmp_path) is None
    assert state.current_lab(tmp_path) is None
    assert not state.stop_lab(tmp_path)


def test_a_lab_is_current_only_while_that_very_owner_lives(tmp_path: Path) -> None:
    record = state.new_record("a test")
    for lives, known in (
        (True, record),
        (False, replace(record, owner=Identity(os.getpid(), record.owner.start_ticks + 1))),
        (False, replace(record, boot="another")),
        (False, replace(record, owner=GONE)),
    ):
        state.write(tmp_path, known)
        assert (state.current_lab(tmp_path) is not None) is lives


def test_sweeping_ends_leftovers_with_their_children_and_their_sockets(tmp_path: Path) -> None:
    with sleeper() as leftover:
        identity = identity_of(leftover.pid)
        record = replace(
            state.new_record("a test"), owner=GONE, children=(("bank-0", identity),),
            socket_directory=tmp_path / "racelab-sockets",
        )  # fmt: skip
        record.socket_directory.mkdir()
        state.write(tmp_path, record)
        assert state.sweep(tmp_path)
        assert not wait_for_end([identity])
        assert not record.socket_directory.exists()
        assert state.read(tmp_path) is None
        assert not state.sweep(tmp_path)


def test_sweeping_spares_a_process_that_only_has_the_same_number(tmp_path: Path) -> None:
    with sleeper() as stranger:
        identity = identity_of(stranger.pid)
        for record in (
            replace(state.new_record(""), children=(("bank-0", Identity(identity.pid, identity.start_ticks - 1)),)),
            replace(state.new_record(""), children=(("bank-0", identity),), boot="another"),
        ):
            state.write(tmp_path, replace(record, owner=GONE))
            assert not state.sweep(tmp_path)
            assert is_running(identity)
        stranger.kill()


def test_the_lock_is_refused_to_a_second_with_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    state.write(tmp_path, state.new_record("racelab up"))
    held = state.lock(tmp_path)
    with pytest.raises(LabError, match=rf"racelab up, process {os.getpid()}, since .*racelab down.*--home") as raised:
        state.lock(tmp_path)
    assert raised.value.exit_code == 2
    os.close(held)
    os.close(state.lock(tmp_path))
