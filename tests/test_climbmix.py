"""The field's text: shards that are fetched over a network which fails in every way, and become token files."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from itertools import chain, count

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from search.identity import open_study, stock_of
from search.journal import Journal
from search.paths import ROOT
from search.task import encoding, hub, report, shards
from search.task.corpus import SPLITS, CorpusError
from search.task.encoding import encode
from search.task.parquet import ParquetCorpus
from search.task.tokenizer import Tokenizer
from search.task.tokens import prepare
from tests.hub_server import REPOSITORY, Fault, serve

NAME = "shard_{:05d}.parquet"
NUMBERS = {"train": [0, 1, 2], "validation": [6542], "confirmation": [6541]}
NAMES = [NAME.format(number) for numbers in NUMBERS.values() for number in numbers]
FIRST, LAST = NAMES[0], NAMES[-1]


def documents_of(number):
    """Texts that tell which shard they are from, too random to be compressed."""
    draw = random.Random(number)
    return [f"shard {number} document {index}: {draw.randbytes(150).hex()}" for index in range(1000)]


def shard_of(number):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": documents_of(number)}), out, row_group_size=100)
    return out.getvalue()


@pytest.fixture(scope="module")
def files():
    return {NAME.format(number): shard_of(number) for numbers in NUMBERS.values() for number in numbers}


@pytest.fixture
def server(files, monkeypatch):
    monkeypatch.setattr(hub, "WAITS", (0.0, 0.0, 0.0))
    with serve(dict(files)) as running:
        yield running


def corpus_of(folder, mirror):
    return ParquetCorpus(str(folder), REPOSITORY, mirror, NAME, *(NUMBERS[split] for split in SPLITS))


def fetch(folder, server, said=None):
    corpus_of(folder, server.url).fetch([].append if said is None else said.append)


def whole(folder, files):
    """The names of the shards in a folder, each of which must be what it should be."""
    names = sorted(path.name for path in folder.glob("*.parquet"))
    assert all((folder / name).read_bytes() == files[name] for name in names)
    return names


def error_of(folder, server):
    with pytest.raises(CorpusError) as caught:
        fetch(folder, server)
    return str(caught.value)


def test_what_is_missing_is_fetched_and_nothing_is_asked_ever_after(tmp_path, server, files, monkeypatch):
    monkeypatch.setattr(report, "REPORT_SECONDS", 0.0)
    (tmp_path / FIRST).write_bytes(files[FIRST])  # by hand
    said = []
    fetch(tmp_path, server, said)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert server.body_names == sorted(NAMES[1:])
    assert not list(tmp_path.glob("*.partial"))
    total = sum(len(files[name]) for name in NAMES[1:])
    assert any(f"of {total / 1e9:.2f} GB (100%)" in line for line in said), said
    asked = len(server.requests)
    identity = corpus_of(tmp_path, server.url).identity(said.append)
    fetch(tmp_path, server)
    assert len(server.requests) == asked
    (tmp_path / LAST).unlink()  # to free the disk: what it was stays known
    assert corpus_of(tmp_path, server.url).identity(said.append) == identity
    assert len(server.requests) == asked
    (tmp_path / LAST).write_bytes(files[FIRST])
    assert corpus_of(tmp_path, server.url).identity(said.append) != identity


def test_which_split_a_shard_is_in_is_part_of_what_a_text_is(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    one, other = (
        ParquetCorpus(str(tmp_path), REPOSITORY, None, NAME, train, validation, [6541])
        for train, validation in (([0, 1], [2]), ([0], [1, 2]))
    )
    assert one.identity(print) != other.identity(print)
    with pytest.raises(CorpusError, match="named twice"):
        ParquetCorpus(str(tmp_path), REPOSITORY, None, NAME, [0, 1], [1], [2])


def test_a_cut_download_goes_on_where_it_was_cut_as_long_as_bytes_arrive(tmp_path, server, files):
    cuts = [20_000 * place for place in range(1, 8)]  # more of them than attempts that bring nothing
    server.fail(FIRST, *(Fault(cut=cut) for cut in cuts))
    fetch(tmp_path, server)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert server.bodies(FIRST) == [None, *(f"bytes={cut}-" for cut in cuts)]


def test_a_body_that_ends_early_without_a_word_or_stalls_goes_on_too(tmp_path, server, files, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    server.fail(FIRST, Fault(cut=50_000, length=False), Fault(cut=80_000, hang=600))
    fetch(tmp_path, server)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert server.bodies(FIRST) == [None, "bytes=50000-", "bytes=80000-"]


def test_a_host_without_ranges_is_asked_for_everything_again(tmp_path, server, files):
    server.fail(FIRST, Fault(cut=50_000), Fault(ranges=False, cut=80_000), Fault(ranges=False))
    fetch(tmp_path, server)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert server.bodies(FIRST) == [None, "bytes=50000-", "bytes=80000-"]


def test_a_body_that_is_always_cut_short_is_given_up_and_has_no_name(tmp_path, server, files):
    server.fail(FIRST, for_ever=Fault(ranges=False, cut=50_000))
    error = error_of(tmp_path, server)
    assert FIRST in error and "given up after 4 attempts" in error and "data.corpus.mirror=" in error
    assert FIRST not in whole(tmp_path, files)
    assert 4 <= len(server.bodies(FIRST)) <= 5  # the first attempt brought bytes


def test_a_shard_that_the_host_lacks_is_named_with_its_address(tmp_path, server):
    del server.files[LAST]
    error = error_of(tmp_path, server)
    assert f"{server.url}/datasets/{REPOSITORY}/resolve/main/{LAST}" in error
    assert "404" in error and "data.corpus.repository" in error
    assert error.count("\n") == 1
    assert server.body_names == []  # found before anything is fetched


@pytest.mark.parametrize("where", ["fail", "refuse"])
def test_a_host_that_counts_requests_is_waited_for_as_it_asks_within_reason(tmp_path, server, files, where, monkeypatch):
    monkeypatch.setattr(hub, "LONGEST_WAIT", 0.25)
    getattr(server, where)(FIRST, *[Fault(status=429, retry_after="7200")] * 3)
    said = []
    fetch(tmp_path, server, said)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert [line for line in said if FIRST in line] == [f"{FIRST}: the host answers 429; trying again in 0.25 s"] * 3


def test_a_broken_host_is_given_up_and_the_others_shards_stay(tmp_path, server, files):
    server.fail(LAST, for_ever=Fault(status=500))
    error = error_of(tmp_path, server)
    assert LAST in error and "answers 500" in error and "data=python" in error
    assert len(server.bodies(LAST)) == 4
    left = whole(tmp_path, files)
    assert LAST not in left
    server.requests.clear()
    server.fail(LAST)
    fetch(tmp_path, server)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert not set(left) & set(server.body_names)


def test_a_refusal_that_will_stay_is_not_asked_for_again(tmp_path, server):
    server.fail(FIRST, for_ever=Fault(status=403))
    assert "refuses it (403)" in error_of(tmp_path, server)
    assert len(server.bodies(FIRST)) == 1


def test_a_damaged_body_is_fetched_anew_and_never_accepted(tmp_path, server, files):
    server.fail(FIRST, Fault(flip=77_777), Fault(cut=50_000), Fault(flip=99_999))  # the last one in a resumed part
    fetch(tmp_path, server)
    assert whole(tmp_path, files) == sorted(NAMES)
    assert server.bodies(FIRST) == [None, None, "bytes=50000-", None]


def test_a_body_that_is_always_damaged_leaves_nothing(tmp_path, server, files):
    server.fail(FIRST, for_ever=Fault(flip=77_777))
    error = error_of(tmp_path, server)
    assert FIRST in error and "SHA-256" in error and error.count("\n") == 1
    assert FIRST not in whole(tmp_path, files)
    assert not (tmp_path / f"{FIRST}.partial").exists()


def test_a_host_that_tells_no_checksum_is_refused(tmp_path, server):
    server.checksums = False
    error = error_of(tmp_path, server)
    assert FIRST in error and "SHA-256" in error and "data.corpus.mirror=" in error
    assert server.body_names == []


def test_too_little_space_is_found_before_anything_is_fetched(tmp_path, server, files, monkeypatch):
    usage = namedtuple("usage", "total used free")
    size = sum(map(len, files.values()))
    monkeypatch.setattr(shards, "GB", size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, int(2.9 * size)))
    error = error_of(tmp_path, server)
    assert "has 2.90 GB free, and needs 3.00 (1.00 for shards, about 2.00 for token files)" in error and "cache=" in error
    assert server.body_names == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, int(3.1 * size)))
    fetch(tmp_path, server)


@pytest.mark.parametrize(
    ("repository", "mirror", "said"),
    [
        (REPOSITORY, "http://127.0.0.1:1", "127.0.0.1:1/datasets"),  # nobody answers
        (REPOSITORY, "example.org", "data.corpus.mirror=example.org"),
        (REPOSITORY, "https://host:port", "data.corpus.mirror=https://host:port"),
        ("no such name!", None, "data.corpus.repository=no such name!"),
    ],
)
def test_no_host_is_an_error_with_remedies(tmp_path, monkeypatch, repository, mirror, said):
    monkeypatch.setattr(hub, "WAITS", (0.0,))
    corpus = ParquetCorpus(str(tmp_path), repository, mirror, NAME, *NUMBERS.values())
    with pytest.raises(CorpusError) as caught:
        corpus.identity(lambda line: None)
    error = str(caught.value)
    assert said in error and len(error.splitlines()) <= 2
    if "127.0.0.1" in said:
        assert all(remedy in error for remedy in ("data.corpus.mirror=", "data.corpus.folder", "data=files", "data=python"))


def test_a_shard_that_is_no_text_is_an_error(tmp_path):
    def texts(content):
        (tmp_path / "torn.parquet").write_bytes(content)
        return list(ParquetCorpus(str(tmp_path), REPOSITORY, None, "{}.parquet", ["torn"], [1], [2]).documents("train"))

    def table(**columns):
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), out)
        return out.getvalue()

    assert texts(table(text=["a", "", None, "b"])) == ["a", "b"]
    for content in (shard_of(1)[:-20_000], table(words=["a"])):
        with pytest.raises(CorpusError, match=r"torn\.parquet cannot be read"):
            texts(content)


# Other processes


PREPARING = """
    import sys
    from pathlib import Path
    from search.task.parquet import ParquetCorpus
    from search.task.tokens import prepare
    folder, cache, mirror, repository, vocabulary = sys.argv[1:]
    corpus = ParquetCorpus(folder, repository, mirror or None, {name!r}, {train}, {validation}, {confirmation})
    prepared = prepare("climbmix", corpus, int(vocabulary), Path(cache), print)
    print("fingerprint", prepared.fingerprint)
    print("imported", "huggingface_hub" in sys.modules)
"""


def start(folder, cache, mirror, vocabulary=300, **environment):
    program = textwrap.dedent(PREPARING).format(name=NAME, **NUMBERS)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(cache), mirror, REPOSITORY, str(vocabulary)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def output(process):
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never happened")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_stopped_download_goes_on_in_the_next_process(tmp_path, server, files, how):
    server.fail(FIRST, for_ever=Fault(cut=150_000, hang=600))
    folder = tmp_path / "shards"
    patience = "600" if how is signal.SIGKILL else "1"  # Ctrl-C waits for the host's next bytes, or until it is too late
    process = start(folder, tmp_path / "cache", server.url, HF_HUB_DOWNLOAD_TIMEOUT=patience)
    partial = folder / f"{FIRST}.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size > 60_000 and len(whole(folder, files)) == len(NAMES) - 1)
    process.send_signal(how)
    said, _ = process.communicate(timeout=120)
    assert "KeyboardInterrupt" in said or how is signal.SIGKILL
    here = partial.stat().st_size
    assert FIRST not in whole(folder, files)
    server.requests.clear()
    server.fail(FIRST)
    output(start(folder, tmp_path / "cache", server.url))
    assert whole(folder, files) == sorted(NAMES)
    assert server.bodies(FIRST) == [f"bytes={here}-"]
    assert server.body_names == [FIRST]


@pytest.mark.parametrize("vocabularies", [(300, 300), (300, 310)])
def test_two_processes_at_once_fetch_once(tmp_path, server, vocabularies):
    processes = [start(tmp_path / "shards", tmp_path / "cache", server.url, number) for number in vocabularies]
    said = [output(process) for process in processes]
    assert server.body_names == sorted(NAMES)
    assert sum("fetched 5 shards" in text for text in said) == 1
    prepared = {line for text in said for line in text.splitlines() if line.startswith("fingerprint")}
    assert len(prepared) == len(set(vocabularies))


def test_a_full_folder_needs_no_network_and_is_only_read(tmp_path, files):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    said = output(start(folder, tmp_path / "cache", "http://127.0.0.1:1"))
    assert "imported False" in said
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


def test_the_hubs_token_goes_to_the_hub_alone_and_nothing_is_told_of_the_machine(tmp_path, server):
    for number, (mirror, token) in enumerate([("", "Bearer hf_secret"), (server.url, None)]):
        server.requests.clear()
        home = {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_secret", "HF_HOME": str(tmp_path / "home")}
        output(start(tmp_path / f"shards{number}", tmp_path / f"cache{number}", mirror, **home))
        for request in server.requests:
            assert request.token == (None if request.path.startswith("/cdn/") else token)
            assert request.path.startswith(("/cdn/", "/datasets/")) and "torch" not in request.agent
    assert not (tmp_path / "home").exists()


def test_offline_on_the_command_line_is_two_lines_and_a_failure(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("FAIRTRIAL_CACHE", str(tmp_path / "cache"))
    done = clone.run("task=smoke", "data=climbmix", module="search.prepare")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2 and FIRST in done.stdout and "data=python" in done.stdout, done.stdout


# From shards to token files


def texts_of(prepared, split):
    documents, tokens = prepared.documents(split), prepared.tokenizer().tokens
    return [b"".join(tokens[token] for token in documents[index]).decode() for index in range(len(documents))]


def test_each_split_is_the_text_of_its_own_shards_in_order(tmp_path, server):
    corpus = corpus_of(tmp_path / "shards", server.url)
    prepared = prepare("climbmix", corpus, 300, tmp_path / "cache", lambda line: None)
    for split, numbers in NUMBERS.items():
        assert texts_of(prepared, split) == list(chain.from_iterable(map(documents_of, numbers)))
    for name in NAMES:
        (tmp_path / "shards" / name).unlink()
    server.requests.clear()
    again = prepare("climbmix", corpus, 300, tmp_path / "cache", lambda line: None)
    assert again.folder == prepared.folder and not server.requests  # the shards were deleted: they are not needed any more
    prepare("climbmix", corpus, 310, tmp_path / "cache", lambda line: None)
    assert server.body_names == sorted(NAMES)  # and fetched again where they are


def test_the_shipped_splits_are_the_fields_and_share_nothing(configure, tmp_path):
    node = configure("data=climbmix", f"cache={tmp_path}").data.corpus
    assert (node["train"], node["validation"], node["confirmation"]) == (list(range(10)), [6542], [6541])
    assert node["repository"] == "karpathy/climbmix-400b-shuffle" and node["name"].format(6542) == "shard_06542.parquet"
    assert (node["folder"], node["mirror"]) == (f"{tmp_path}/climbmix", None)


def test_a_study_goes_on_when_its_shards_come_from_elsewhere(configure, smoke, tmp_path):
    config, other = (
        configure("task=smoke", "data=climbmix", *extra)
        for extra in ([], [f"cache={tmp_path}", "data.corpus.mirror=https://example.org"])
    )
    with Journal(tmp_path, print) as journal:
        first = open_study(config, stock_of(config), journal, smoke[1])
        assert open_study(other, stock_of(other), journal, smoke[1]) == first


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(documents_of(0), 300)


def test_tokens_are_the_same_on_one_core_and_on_many(tokenizer, monkeypatch):
    monkeypatch.setattr(encoding, "BATCH_CHARACTERS", 5_000)
    documents = [*documents_of(1), "", "größe 日本語 <|bos|>", *documents_of(2)]
    one_by_one = [tokenizer.encode(text).tolist() for text in documents]
    for threads in (1, 7):
        parts = list(encode(iter(documents), tokenizer, threads))
        lengths, tokens = np.concatenate([part.lengths for part in parts]), np.concatenate([part.tokens for part in parts])
        assert len(parts) > 50
        assert lengths.tolist() == list(map(len, one_by_one))
        assert tokens.tolist() == list(chain.from_iterable(one_by_one)) and tokens.dtype == np.uint16
        assert sum(part.bytes for part in parts) == sum(len(text.encode()) for text in documents)


def test_encoding_takes_no_more_text_into_memory_than_it_works_on(tokenizer, monkeypatch):
    monkeypatch.setattr(encoding, "BATCH_CHARACTERS", 1_000)
    taken = count()
    endless = (f"{next(taken):0500d}" for _ in count())
    parts = encode(endless, tokenizer, threads=3)
    for _ in range(20):
        next(parts)
    assert next(taken) <= 2 * (20 + 3 * encoding.AHEAD)  # two documents a piece
    parts.close()


KILLED = """
    import sys, time
    from pathlib import Path
    from search.task.tokens import prepare

    class Slow:
        def identity(self, report): return "slow"
        def fetch(self, report): pass
        def documents(self, split):
            for number in range(2000):
                yield f"{split} {number} " + "word " * 50
            if split == "validation" and sys.argv[2] == "hang":
                print("here", flush=True)
                time.sleep(600)

    print(prepare("slow", Slow(), 300, Path(sys.argv[1]), lambda line: None).fingerprint)
"""


def test_a_killed_preparation_leaves_nothing_that_counts(tmp_path):
    def run(how):
        program = textwrap.dedent(KILLED)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program, str(tmp_path), how]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    process = run("hang")
    assert process.stdout.readline() == "here\n"
    process.kill()
    process.communicate()
    (unfinished,) = (tmp_path / "prepared").glob("*.unfinished")
    assert (unfinished / "train.tokens").stat().st_size > 0
    assert not [path for path in (tmp_path / "prepared").iterdir() if path.is_dir() and path != unfinished]
    assert len(output(run("go on")).strip()) == 64
    (folder,) = (path for path in (tmp_path / "prepared").iterdir() if path.is_dir())
    assert folder != unfinished
    assert json.loads((folder / "manifest.json").read_text())["splits"]["train"]["documents"] == 2000
