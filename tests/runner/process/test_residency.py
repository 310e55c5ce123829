"""What candidates may read is brought into memory before they run, and nothing else lies among it."""

from __future__ import annotations

import mmap
import os
import secrets
from pathlib import Path

import pytest

from search.config.messages import UserError
from search.config.places import usable_cores
from search.runner.device.pinning import on_cores
from search.runner.process import residency, sandbox
from search.runner.process.residency import bring_back, bring_into_memory
from search.runner.process.sandbox import check_hidden
from search.runner.process.scatter import scatter

BYTES = 64 * residency.PAGE
NUMA_MAPS = Path("/proc/self/numa_maps")


def missing(path):
    file = os.open(path, os.O_RDONLY)
    try:
        return residency._missing(file, BYTES, untold=BYTES)
    finally:
        os.close(file)


def put(path):
    """Out of memory."""
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


@pytest.fixture
def put_out(tmp_path):
    """A folder with one file that is on the disk, and not in memory."""
    path = tmp_path / "library" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(BYTES))
    put(path)
    if missing(path) == 0:
        pytest.skip("this file system lies in memory")
    return path


def test_a_file_that_is_not_in_memory_is_brought_there(put_out):
    assert bring_into_memory([put_out.parent]) == 0
    if missing(put_out) == BYTES:
        pytest.skip("this kernel does not tell what of a file is in memory")
    assert missing(put_out) == 0


def test_what_was_put_out_meanwhile_is_brought_back_but_looked_for_only_where_something_was(put_out, monkeypatch):
    monkeypatch.setattr(residency, "_reclaim", lambda: residency.Reclaim(0, 0))
    bring_into_memory([put_out.parent])
    put(put_out)
    before = missing(put_out)
    assert bring_back([put_out.parent]) == 0 and missing(put_out) == before
    monkeypatch.setattr(residency, "_reclaim", lambda: residency.Reclaim(0, 64))
    assert bring_back([put_out.parent]) == 0
    assert missing(put_out) == 0 or before == missing(put_out) == BYTES


def read_again(path):
    """Whether the kernel has noted of each page that it was read again since it came into memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert not any(mapped[at] for at in range(0, BYTES, residency.PAGE))  # so that it is mapped
        [line] = [line for line in NUMA_MAPS.read_text().splitlines() if f"file={path} " in line]
        return "active=" not in line  # said where it is not all


def test_reading_again_leaves_no_mark_that_another_process_could_see(put_out, monkeypatch):
    if not NUMA_MAPS.exists():
        pytest.skip("this kernel shows no marks of pages")
    monkeypatch.setattr(residency, "READINGS", 1)
    bring_into_memory([put_out.parent])
    if read_again(put_out):
        pytest.skip("this kernel marks all pages at once")
    monkeypatch.undo()
    put(put_out)
    bring_into_memory([put_out.parent])
    assert read_again(put_out)


def test_numbers_of_inodes_go_on_from_another_place(monkeypatch):
    core = min(usable_cores())

    def number():
        with on_cores([core]):
            file = os.memfd_create("number")
        inode = os.fstat(file).st_ino
        os.close(file)
        return inode

    monkeypatch.setattr(secrets, "randbelow", lambda most: 500)
    before = number()
    scatter([core])
    assert number() > before + 500


def test_links_are_not_followed_out_of_what_is_visible(put_out, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "link").symlink_to(put_out)
    assert bring_into_memory([tmp_path / "links"]) == 0
    assert missing(put_out) == BYTES


def test_a_repository_among_what_candidates_may_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "visible", lambda: (tmp_path / "lib",))
    repository = tmp_path / "lib" / "app"
    repository.mkdir(parents=True)
    (tmp_path / "app").symlink_to(repository)
    for place in (repository, tmp_path / "app", tmp_path / "lib"):
        with pytest.raises(UserError, match="training programs may read") as refusal:
            check_hidden([tmp_path / "elsewhere", place])
        assert str(refusal.value).startswith(str(place)) and str(refusal.value).count("\n") < 2
    check_hidden([tmp_path, tmp_path / "library"])
