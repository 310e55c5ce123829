"""From documents to token files on all cores: in order, in little memory, and whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from itertools import chain, count

import numpy as np
import pytest

from search.config.places import ROOT
from search.data import encoding
from search.data.encoding import encode
from search.data.tokenizer import Tokenizer
from tests.data.shard_files import documents_of, output


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


@pytest.mark.skipif(sys.platform != "linux", reason="cores cannot be taken from a process here")
def test_only_the_cores_that_a_process_may_use_are_counted(tokenizer, monkeypatch):
    pools, pool = [], encoding.ThreadPoolExecutor
    monkeypatch.setattr(encoding, "ThreadPoolExecutor", lambda threads: pools.append(threads) or pool(threads))
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        list(encode(["text"], tokenizer))
    finally:
        os.sched_setaffinity(0, usable)
    list(encode(["text"], tokenizer))
    assert pools == [1, len(usable)]


KILLED = """
    import sys, time
    from pathlib import Path
    from search.data.tokens import prepare

    class Slow:
        def identity(self, report): return "slow"
        def fetch(self, tokens, report): pass
        def documents(self, split):
            for number in range(2000):
                yield f"{split} {number} " + "word " * 50
            began = any(Path(sys.argv[1]).glob("prepared/*.unfinished/train.tokens"))
            if split == "validation" and began and sys.argv[2] == "hang":
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
