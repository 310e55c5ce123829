"""Fetching the field's shards over a network that fails in every way."""

from __future__ import annotations

import importlib.util
import signal
import time

import pytest

from search.config.messages import UserError
from search.data import hub
from search.data.parquet import ParquetCorpus
from tests.data.shard_files import FILES, FIRST, LAST, NAME, NAMES, NUMBERS, corpus_of, fetch, output, start, whole
from tests.servers.hub import REPOSITORY, Fault, serve


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(hub, "WAITS", (0.0, 0.0, 0.0))
    with serve(dict(FILES)) as running:
        yield running


def error_of(folder, server):
    with pytest.raises(UserError) as caught:
        fetch(folder, server)
    return str(caught.value)


def test_a_body_that_is_cut_stalls_or_is_refused_for_a_while_arrives_whole(tmp_path, server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    server.fail(FIRST, Fault(cut=50_000), Fault(cut=50_000, length=False), Fault(status=503))
    server.fail(LAST, Fault(cut=80_000, hang=600))
    fetch(tmp_path, server)
    assert whole(tmp_path) == sorted(NAMES)
    assert len(server.bodies(FIRST)) == 4 and len(server.bodies(LAST)) == 2


def test_a_body_that_is_always_cut_short_is_given_up_and_has_no_name(tmp_path, server):
    server.fail(FIRST, for_ever=Fault(length=False, cut=50_000))
    error = error_of(tmp_path, server)
    assert FIRST in error and "given up after 4 attempts" in error and "data.corpus.mirror=" in error
    assert FIRST not in whole(tmp_path) and len(server.bodies(FIRST)) == 4
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_shard_that_the_host_lacks_is_named_with_its_address(tmp_path, server):
    del server.files[LAST]
    error = error_of(tmp_path, server)
    assert f"{server.url}/datasets/{REPOSITORY}/resolve/main/{LAST}" in error
    assert "404" in error and "data.corpus.repository" in error
    assert error.count("\n") == 1
    assert server.body_names == []  # found before anything is fetched


@pytest.mark.parametrize("where", ["fail", "refuse"])
def test_a_host_that_counts_requests_is_waited_for_as_it_asks_within_reason(tmp_path, server, where, monkeypatch):
    monkeypatch.setattr(hub, "LONGEST_WAIT", 0.25)
    getattr(server, where)(FIRST, *[Fault(status=429, retry_after="7200")] * 3)
    said = []
    fetch(tmp_path, server, said)
    assert whole(tmp_path) == sorted(NAMES)
    assert [line for line in said if FIRST in line] == [f"{FIRST}: the host answers 429; trying again in 0.25 s"] * 3


def test_a_broken_host_is_given_up_and_the_others_shards_stay(tmp_path, server):
    server.fail(LAST, for_ever=Fault(status=500))
    error = error_of(tmp_path, server)
    assert LAST in error and "answers 500" in error and "data=python" in error
    assert len(server.bodies(LAST)) == 4
    left = whole(tmp_path)
    assert LAST not in left
    server.requests.clear()
    server.fail(LAST)
    fetch(tmp_path, server)
    assert whole(tmp_path) == sorted(NAMES)
    assert not set(left) & set(server.body_names)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_that_will_stay_is_not_asked_for_again(tmp_path, server, status):
    server.fail(FIRST, for_ever=Fault(status=status))
    error = error_of(tmp_path, server)
    assert f"refuses it ({status})" in error and "no token is sent" in error and error.count("\n") == 2
    assert len(server.bodies(FIRST)) == 1


def test_a_refusal_of_the_hub_speaks_of_tokens_and_terms(tmp_path, server):
    server.refuse(FIRST, Fault(status=401))
    said = output(start(tmp_path / "shards", tmp_path / "cache", "", HF_ENDPOINT=server.url), code=1)
    assert "refuses it (401)" in said and "HF_TOKEN" in said and "data.corpus.repository" in said
    assert f"accepted its terms ({server.url}/datasets/{REPOSITORY})" in said and "no token is sent" not in said
    assert len(said.splitlines()) == 3


SOCKS = pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="SOCKS proxies can be used here")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("ALL_PROXY", "socks5://127.0.0.1:9", marks=SOCKS),
        ("https_proxy", "gopher://name:secret@127.0.0.1"),
        ("HTTP_PROXY", "http://127.0.0.1:port"),
        ("SSL_CERT_FILE", "/nowhere/at/all"),
        ("HF_TOKEN", "hf_größe_secret"),
        ("HF_ENDPOINT", "http://[::1"),
        ("HF_ENDPOINT", "ftp://127.0.0.1"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "abc"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "-987"),
        ("HF_HUB_ETAG_TIMEOUT", "-987"),
    ],
)
def test_network_settings_that_the_libraries_cannot_use_are_two_lines_without_their_values(
    tmp_path, server, variable, value
):
    environment = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), variable: value}
    said = output(start(tmp_path / "shards", tmp_path / "cache", "", **environment), code=1)
    assert "the network settings do not work" in said and value not in said and "secret" not in said
    assert all(names in said for names in ("*_PROXY", "SSL_CERT_*", "HF_*", "data.corpus.mirror"))
    assert said.count("\n") == (3 if "DOWNLOAD" in variable and value == "-987" else 2)  # it had begun to fetch
    assert not server.body_names


def test_a_shard_that_has_changed_there_is_never_fetched_as_the_text_that_it_was(tmp_path, server):
    fetch(tmp_path, server)
    before = corpus_of(tmp_path, server.url).identity(print)
    (tmp_path / FIRST).unlink()
    server.files[FIRST] = FILES[LAST]
    server.requests.clear()
    assert corpus_of(tmp_path, server.url).identity(print) == before
    record = tmp_path / f"{REPOSITORY.replace('/', '--')}.json"
    error = error_of(tmp_path, server)
    assert FIRST in error and f"remove {record}" in error and error.count("\n") == 1
    assert server.body_names == []
    record.unlink()
    assert corpus_of(tmp_path, server.url).identity(print) != before
    fetch(tmp_path, server)
    assert (tmp_path / FIRST).read_bytes() == FILES[LAST]


def test_a_damaged_body_is_fetched_once_more_and_never_accepted(tmp_path, server):
    server.fail(FIRST, Fault(flip=77_777))
    fetch(tmp_path, server)
    assert whole(tmp_path) == sorted(NAMES) and len(server.bodies(FIRST)) == 2
    (tmp_path / FIRST).unlink()
    server.requests.clear()
    server.fail(FIRST, for_ever=Fault(flip=77_777))
    error = error_of(tmp_path, server)
    assert FIRST in error and "SHA-256" in error and error.count("\n") == 1
    assert FIRST not in whole(tmp_path) and len(server.bodies(FIRST)) == 2


def test_a_host_that_tells_no_checksum_is_refused(tmp_path, server):
    server.checksums = False
    error = error_of(tmp_path, server)
    assert FIRST in error and "SHA-256" in error and "data.corpus.mirror=" in error
    assert server.body_names == []


@pytest.mark.parametrize(
    ("repository", "mirror", "said"),
    [
        (REPOSITORY, "http://127.0.0.1:1", "127.0.0.1:1/datasets"),  # nobody answers
        (REPOSITORY, "example.org", "data.corpus.mirror=example.org"),
        (REPOSITORY, "https://host:port", "data.corpus.mirror"),
        ("no such name!", None, "data.corpus.repository=no such name!"),
    ],
)
def test_no_host_is_an_error_with_remedies(tmp_path, monkeypatch, repository, mirror, said):
    monkeypatch.setattr(hub, "WAITS", (0.0,))
    with pytest.raises(UserError) as caught:
        ParquetCorpus(str(tmp_path), repository, mirror, NAME, *NUMBERS.values()).identity(lambda line: None)
    error = str(caught.value)
    assert said in error and len(error.splitlines()) <= 2
    if "127.0.0.1" in said:
        assert all(remedy in error for remedy in ("data.corpus.mirror=", "data.corpus.folder", "data=files", "data=python"))


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never happened")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_stopped_download_leaves_no_part_that_counts_and_whole_shards_stay(tmp_path, server, how):
    server.fail(FIRST, for_ever=Fault(cut=150_000, hang=600))
    folder = tmp_path / "shards"
    process = start(folder, tmp_path / "cache", server.url, HF_HUB_DOWNLOAD_TIMEOUT="1")
    wait_until(lambda: server.bodies(FIRST) and len(whole(folder)) == len(NAMES) - 1)
    process.send_signal(how)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert FIRST not in whole(folder)
    server.requests.clear()
    server.fail(FIRST)
    output(start(folder, tmp_path / "cache", server.url))
    assert whole(folder) == sorted(NAMES) and server.body_names == [FIRST]
    assert not [path for path in folder.iterdir() if path.is_dir()]


@pytest.mark.parametrize("vocabularies", [(300, 300), (300, 310)])
def test_two_processes_at_once_fetch_once(tmp_path, server, vocabularies):
    processes = [start(tmp_path / "shards", tmp_path / "cache", server.url, number) for number in vocabularies]
    said = [output(process) for process in processes]
    assert server.body_names == sorted(NAMES)
    assert sum("fetched 5 shards" in text for text in said) == 1
    prepared = {line for text in said for line in text.splitlines() if line.startswith("fingerprint")}
    assert len(prepared) == len(set(vocabularies))


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
