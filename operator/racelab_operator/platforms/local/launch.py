"""Become another program that dies with the lab: `python -I -S launch.py PARENT SIGNAL IDENTITY COMMAND…`.

Run as a file by the lab for each child. It exists because three things must be done after the fork and before the
program: change identity, ask for a signal at the parent's death, and check that the parent still lives. Doing them in
`preexec_fn` runs Python in a forked copy of a threaded parent, which may deadlock; doing them here costs about 20 ms
per child and cannot. It imports the standard library only.

IDENTITY is `same`; `namespace`: a named user of a new user namespace, who is the caller outside of it (PostgreSQL
refuses uid 0, and its initdb uids without a name); or `UID:GID`: that user, keeping root's right to reach files, so
that no parent directory must change its mode.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CLONE_NEWUSER = 0x10000000
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CANNOT_LAUNCH = 125

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise OSError from errno, saying what was tried, when a C call answered −1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_user_namespace() -> None:
    """Become a user with a name inside a new user namespace; outside of it nothing changes."""
    uid, gid = os.geteuid(), os.getegid()
    named = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), None)
    if named is None:
        sys.exit(CANNOT_LAUNCH)
    check(libc.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    Path("/proc/self/setgroups").write_bytes(b"deny")
    Path("/proc/self/gid_map").write_bytes(f"{named} {gid} 1".encode())
    Path("/proc/self/uid_map").write_bytes(f"{named} {uid} 1".encode())


def become(uid: int, gid: int) -> None:
    """Become a plain user that keeps CAP_DAC_OVERRIDE, also across exec."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setresuid(uid, uid, uid)
    mask = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable for capabilities 0 to 31, then for 32 to 63
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    check(libc.capset(header, data), "capset")
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "prctl(PR_CAP_AMBIENT)")


def main(arguments: list[str]) -> None:
    """Change identity, tie this process to its parent, and become the command."""
    parent, death_signal, identity, command = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    if identity == "namespace":
        enter_user_namespace()
    elif identity != "same":
        uid, gid = identity.split(":")
        become(int(uid), int(gid))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # After the change of identity: the kernel forgets the signal when credentials change.
    check(libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if death_signal and os.getppid() != parent:  # it died before the line above
        sys.exit(CANNOT_LAUNCH)
    os.execvp(command[0], command)  # noqa: S606  becoming the command, without a shell, is the purpose


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        print(f"cannot start {' '.join(sys.argv[4:5])}: {error}", file=sys.stderr)
        sys.exit(CANNOT_LAUNCH)
