"""Room on the disks of shards and of token files: too little is found before anything is fetched, and named by its key."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple

import pytest

from search.config.messages import UserError
from search.data import shards
from tests.data.shard_files import FILES, FIRST, corpus_of, fetch, whole
from tests.servers.hub import serve


@pytest.fixture
def server():
    with serve(dict(FILES)) as running:
        yield running


SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def disks(tmp_path, monkeypatch):
    """Sets the free space for the folders `shards` and `cache`, in units of all shards' size. `apart`: on two disks."""
    for name in ("shards", "cache"):
        (tmp_path / name).mkdir()
    usage = namedtuple("usage", "total used free")

    def have(first, cache, apart):
        free = {tmp_path / "shards": first, tmp_path / "cache": cache}
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(SIZE, SIZE, int(free.get(folder, 99) * SIZE)))
        monkeypatch.setattr(shards, "disk_of", lambda folder: folder.name if apart else "")

    monkeypatch.setattr(shards, "GB", SIZE)
    return have


def fetch_apart(folder, server):
    corpus_of(folder / "shards", server.url).fetch(folder / "cache", [].append)


def refused(folder, server):
    with pytest.raises(UserError) as caught:
        fetch_apart(folder, server)
    assert server.body_names == [] and str(caught.value).count("\n") == 1
    return str(caught.value)


def test_too_little_space_is_found_before_anything_is_fetched(tmp_path, server, disks):
    disks(2.9, 2.9, apart=False)
    error = refused(tmp_path, server)
    assert error.startswith(f"data.corpus.folder: the disk of {tmp_path}/shards has 2.90 GB free, and needs 3.00 ")
    assert "(1.00 GB of shards are fetched, and about 2.00 GB of token files made)" in error
    disks(3.1, 3.1, apart=False)
    fetch_apart(tmp_path, server)


def test_each_disk_is_asked_for_what_comes_onto_it_and_named(tmp_path, server, disks):
    disks(0.9, 99, apart=True)
    error = refused(tmp_path, server)
    assert error.startswith(f"data.corpus.folder: the disk of {tmp_path}/shards has 0.90 GB free, and needs 1.00 ")
    assert "set data.corpus.folder= to a folder on another disk" in error
    disks(99, 1.9, apart=True)
    error = refused(tmp_path, server)
    assert error.startswith(f"cache: the disk of {tmp_path}/cache has 1.90 GB free, and needs 2.00 ")
    assert "set cache= to a folder on another disk" in error
    disks(1.1, 2.1, apart=True)
    fetch_apart(tmp_path, server)


@pytest.mark.parametrize("apart", [True, False])
def test_shards_that_are_all_there_need_space_for_their_token_files_alone(tmp_path, server, disks, apart):
    for name, content in FILES.items():
        (tmp_path / "shards" / name).write_bytes(content)
    disks(0, 1.9, apart)
    assert refused(tmp_path, server).startswith("cache: ")
    disks(0, 2.1, apart)
    fetch_apart(tmp_path, server)


def test_a_full_disk_is_named_by_the_key_of_its_folder(tmp_path, server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("huggingface_hub.file_download._chmod_and_move", full)
    with pytest.raises(UserError) as caught:
        fetch(tmp_path, server)
    error = str(caught.value)
    assert error.startswith(f"data.corpus.folder: {tmp_path} ") and "No space left" in error
    assert "data.corpus.folder=" in error and FIRST not in whole(tmp_path)
