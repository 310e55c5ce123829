"""The folder of locks on a machine whose users do not trust each other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from search.config.messages import UserError
from search.config.places import ROOT
from search.runner.device.locks import VARIABLE, lock

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
from contextlib import ExitStack
from search.runner.device.locks import lock
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
os.umask(0o077)
with ExitStack() as held:
    print([lock(held, name) for name in sys.argv[1:]], flush=True)
    input()
"""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture
def folder(monkeypatch):
    """Where the locks are, in a place that other users can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o1777)
        monkeypatch.setenv(VARIABLE, f"{place}/leases")
        yield Path(place) / "leases"


def nobody(*names: str) -> subprocess.Popen[str]:
    """Another user's process that takes these locks, says which it got, and holds them until its input ends."""
    command = [sys.executable, "-c", AS_NOBODY, *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_process_has_a_lock_until_it_lets_go(folder):
    with ExitStack() as held:
        assert lock(held, "cpu-0") and lock(held, "cpu-1")
        with ExitStack() as other:
            assert not lock(other, "cpu-0")
    with ExitStack() as held:
        assert lock(held, "cpu-0")
    assert folder.stat().st_mode & 0o7777 == 0o1777  # only owners remove


@root
@pytest.mark.parametrize("ours_first", [True, False])
def test_two_users_share_the_locks_whoever_made_them(folder, ours_first):
    with ExitStack() as held:
        assert not ours_first or lock(held, "a")
        with nobody("a", "b") as process:
            assert process.stdout.readline() == f"[{not ours_first}, True]\n"
            assert not lock(held, "a") and not lock(held, "b")
            process.communicate("\n")
        assert lock(held, "b")
    assert folder.stat().st_uid == (0 if ours_first else NOBODY)


def test_a_link_in_the_place_of_a_lock_is_not_followed(folder, tmp_path):
    folder.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    (folder / "cpu-0").symlink_to(victim)
    (folder / "cpu-1").symlink_to(tmp_path / "made by a link")
    os.mkfifo(folder / "cpu-2")
    for name in ("cpu-0", "cpu-1", "cpu-2"):
        with ExitStack() as held, pytest.raises(UserError, match=rf"leased in this folder \({name} there") as refused:
            lock(held, name)
        assert str(refused.value).count("\n") == 1 and VARIABLE in str(refused.value)
    assert (victim.read_text(), victim.stat().st_mode & 0o7777) == ("precious", 0o600)
    assert not (tmp_path / "made by a link").exists()


def test_a_link_in_the_place_of_the_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "theirs")
    with ExitStack() as held, pytest.raises(UserError, match="cannot be leased in this folder"):
        lock(held, "cpu-0")
    assert (tmp_path / "theirs").stat().st_mode & 0o7777 == 0o700 and not list((tmp_path / "theirs").iterdir())


@root
def test_another_users_folder_from_which_anybody_removes_locks_is_refused(folder):
    folder.mkdir()
    folder.chmod(0o777)
    with ExitStack() as held:
        assert lock(held, "cpu-0")  # ours, as an earlier version made it: it is mended
    assert folder.stat().st_mode & 0o7777 == 0o1777
    folder.chmod(0o777)
    os.chown(folder, NOBODY, NOBODY)
    with ExitStack() as held, pytest.raises(UserError, match=f"it belongs to user {NOBODY}, and anybody may remove"):
        lock(held, "cpu-0")
    assert folder.stat().st_mode & 0o7777 == 0o777
