"""The field's text: a folder of shards, what is known of them, and the token files that they become."""

from __future__ import annotations

import hashlib
import io
import json
from itertools import chain

import pyarrow
import pyarrow.parquet
import pytest

from search.config.messages import UserError
from search.config.schema import GB
from search.data import hub, progress
from search.data.corpus import SPLITS
from search.data.parquet import ParquetCorpus
from search.data.tokens import prepare
from search.runner.stock import stock_of
from search.study.identity import Opening, open_study
from search.study.journal import Journal
from tests.data.shard_files import (
    FILES,
    FIRST,
    LAST,
    NAME,
    NAMES,
    NUMBERS,
    corpus_of,
    documents_of,
    fetch,
    output,
    shard_of,
    start,
    whole,
)
from tests.servers.hub import REPOSITORY, serve

RECORD = f"{REPOSITORY.replace('/', '--')}.json"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(hub, "WAITS", (0.0, 0.0, 0.0))
    with serve(dict(FILES)) as running:
        yield running


def test_what_is_missing_is_fetched_and_nothing_is_asked_ever_after(tmp_path, server, monkeypatch):
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.0)
    (tmp_path / FIRST).write_bytes(FILES[FIRST])  # by hand
    said = []
    fetch(tmp_path, server, said)
    assert whole(tmp_path) == sorted(NAMES)
    assert server.body_names == sorted(NAMES[1:])
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    total = sum(len(FILES[name]) for name in NAMES[1:])
    assert any(line.startswith(f"fetching: {total / GB:.2f} of {total / GB:.2f} GB, ") for line in said), said
    asked = len(server.requests)
    identity = corpus_of(tmp_path, server.url).identity(said.append)
    fetch(tmp_path, server)
    assert len(server.requests) == asked
    (tmp_path / LAST).unlink()  # to free the disk: what it was stays known
    assert corpus_of(tmp_path, server.url).identity(said.append) == identity
    assert len(server.requests) == asked
    (tmp_path / LAST).write_bytes(FILES[FIRST])
    assert corpus_of(tmp_path, server.url).identity(said.append) != identity


def test_which_split_a_shard_is_in_is_part_of_what_a_text_is(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    one, other = (
        ParquetCorpus(str(tmp_path), REPOSITORY, None, NAME, train, validation, [6541])
        for train, validation in (([0, 1], [2]), ([0], [1, 2]))
    )
    assert one.identity(print) != other.identity(print)
    with pytest.raises(UserError, match="named twice"):
        ParquetCorpus(str(tmp_path), REPOSITORY, None, NAME, [0, 1], [1], [2])


def settings(**changed):
    return {"folder": "nowhere", "repository": REPOSITORY, "mirror": None, "name": NAME, **NUMBERS, **changed}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train", 5, "list of shards' numbers"),
        ("train", ["a"], "list of shards' numbers"),
        ("train", [0, True], "list of shards' numbers"),
        ("train", [], "at least one"),
        ("confirmation", None, "at least one"),
        ("validation", [-1], "list of shards' numbers"),
        ("name", "shard_{:05d}_{}", "one place for a shard's number"),
        ("name", "foo", "one place for a shard's number"),
        ("name", "{", "one place for a shard's number"),
    ],
)
def test_settings_that_name_no_shards_are_refused_with_key_and_value(key, value, said):
    with pytest.raises(UserError) as caught:
        ParquetCorpus(**settings(**{key: value}))
    error = str(caught.value)
    assert error.startswith(f"data.corpus.{key}={value}: ") and said in error and "\n" not in error


def test_another_repositorys_folder_is_refused_and_left_as_it_is(tmp_path, server):
    fetch(tmp_path, server)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = ParquetCorpus(**settings(folder=str(tmp_path), repository="other/texts", mirror=server.url))
    with pytest.raises(UserError) as caught:
        other.identity(print)
    error = str(caught.value)
    assert error.startswith(f"data.corpus.repository=other/texts: {tmp_path} ")
    assert RECORD in error and "data.corpus.folder=" in error and error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / FIRST).unlink()
    for ask in (other.identity, lambda report: other.fetch(tmp_path, report)):
        with pytest.raises(UserError, match=r"data\.corpus\.repository=other/texts"):
            ask(print)
    (tmp_path / RECORD).unlink()  # shards that nothing is known of are whose the user says they are
    (tmp_path / FIRST).write_bytes(FILES[FIRST])
    other.identity(print)


def test_a_folder_that_was_fetched_by_an_earlier_version_is_known(tmp_path):
    """The record as version 0.1 wrote it: nobody should fetch anew."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    facts = {name: {"size": len(FILES[name]), "sha256": hashes[name], "changed_ns": 1} for name in NAMES}
    (tmp_path / RECORD).write_text(json.dumps(facts))
    lines = [f"{split} {NAME.format(number)} {hashes[NAME.format(number)]}" for split in SPLITS for number in NUMBERS[split]]
    text = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert corpus_of(tmp_path, "http://127.0.0.1:1").identity(print) == text


def test_a_shard_that_is_no_text_is_an_error(tmp_path):
    def texts(content):
        (tmp_path / "7.parquet").write_bytes(content)
        return list(ParquetCorpus(str(tmp_path), REPOSITORY, None, "{}.parquet", [7], [1], [2]).documents("train"))

    def table(**columns):
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), out)
        return out.getvalue()

    assert texts(table(text=["a", "", None, "b"])) == ["a", "b"]
    for content in (shard_of(1)[:-20_000], table(words=["a"])):
        with pytest.raises(UserError, match=r"/7\.parquet cannot be read"):
            texts(content)


def test_a_full_folder_needs_no_network_and_is_only_read(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    said = output(start(folder, tmp_path / "cache", "http://127.0.0.1:1"))
    assert "imported False" in said
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


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
        first = open_study(config, Opening(stock_of(config), smoke[1].fingerprint, "none"), journal)
        assert open_study(other, Opening(stock_of(other), smoke[1].fingerprint, "none"), journal) == first
