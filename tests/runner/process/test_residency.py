"""What candidates may read is brought into memory before they run, and nothing else lies among it."""

from __future__ import annotations

import os

import pytest

from search.config.messages import UserError
from search.runner.process import residency, sandbox
from search.runner.process.residency import bring_into_memory
from search.runner.process.sandbox import check_hidden

BYTES = 64 * residency.PAGE


def missing(path):
    file = os.open(path, os.O_RDONLY)
    try:
        return residency._missing(file, BYTES)
    finally:
        os.close(file)


@pytest.fixture
def put_out(tmp_path):
    """A folder with one file that is on the disk, and not in memory."""
    path = tmp_path / "library" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(BYTES))
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    if missing(path) == 0:
        pytest.skip("this file system lies in memory")
    return path


def test_a_file_that_is_not_in_memory_is_brought_there(put_out):
    left = bring_into_memory([put_out.parent])
    assert left == missing(put_out)
    if left == BYTES:
        pytest.skip("this kernel does not tell what of a file is in memory")
    assert left == 0


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
