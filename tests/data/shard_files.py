"""A small data set of shards, and what prepares it: for the tests of fetching and of what becomes of it."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import textwrap

import pyarrow
import pyarrow.parquet

from search.config.places import ROOT
from search.data.corpus import SPLITS
from search.data.parquet import ParquetCorpus
from tests.servers.hub import REPOSITORY

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


FILES = {NAME.format(number): shard_of(number) for numbers in NUMBERS.values() for number in numbers}


def corpus_of(folder, mirror):
    return ParquetCorpus(str(folder), REPOSITORY, mirror, NAME, *(NUMBERS[split] for split in SPLITS))


def fetch(folder, server, said=None):
    """The token files' folder is the shards'."""
    corpus_of(folder, server.url).fetch(folder, [].append if said is None else said.append)


def whole(folder):
    """The names of the shards in a folder, each of which must be what was served."""
    names = sorted(path.name for path in folder.glob("*.parquet"))
    assert all((folder / name).read_bytes() == FILES[name] for name in names)
    return names


PREPARING = """
    import sys
    from pathlib import Path
    from search.config.messages import UserError
    from search.data.parquet import ParquetCorpus
    from search.data.tokens import prepare
    folder, cache, mirror, repository, vocabulary = sys.argv[1:]
    corpus = ParquetCorpus(folder, repository, mirror or None, {name!r}, {train}, {validation}, {confirmation})
    try:
        prepared = prepare("climbmix", corpus, int(vocabulary), Path(cache), print)
    except UserError as error:
        sys.exit(str(error))
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


def output(process, code=0):
    said, _ = process.communicate(timeout=120)
    assert process.returncode == code, said
    return said
