"""From text to rows: nothing lost, nothing doubled, every byte counted."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.config.messages import UserError
from search.data.apart import Apart
from search.data.corpus import SPLITS, FilesCorpus, PythonCorpus, package_folder
from search.data.tokenizer import Tokenizer
from search.data.tokens import prepare, prepare_data
from search.runner.stock import stock_of
from search.study.identity import Opening, open_study, text_of
from search.study.journal import Journal
from search.task.loader import PACKINGS, Documents, scoring_rows, training_rows

BOS = 999


def documents_of(lengths):
    """Documents whose tokens are all different, so that each can be traced."""
    tokens = np.arange(sum(lengths), dtype=np.uint16)
    assert sum(lengths) < BOS
    return Documents(tokens, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def all_rows(documents, packer):
    blocks = list(packer.pack(documents[index] for index in range(len(documents))))
    return np.concatenate(blocks) if blocks else np.empty((0, packer.sequence_length + 1), np.uint16)


@pytest.fixture(scope="module")
def tokenizer():
    texts = ["def f(x):\n    return x + 1\n" * 20, "naïve café über größe 日本語 " * 20, "the quick brown fox " * 50]
    return Tokenizer.train(texts, 300)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    length=st.integers(2, 17),
    packing=st.sampled_from(sorted(PACKINGS)),
)
def test_packing_keeps_order_doubles_nothing_and_counts_what_it_drops(lengths, length, packing):
    documents = documents_of(lengths)
    packer = PACKINGS[packing](length, BOS)
    rows = all_rows(documents, packer)
    text = rows[:, 1:][rows[:, 1:] != BOS]
    assert (rows[:, 0] == BOS).all()
    assert len(np.unique(text)) == len(text)
    assert (packer.packed, packer.dropped) == (len(text), sum(lengths) - len(text))
    if packing == "consecutive":
        assert text.tolist() == list(range(len(text)))  # everything, in order
        assert packer.dropped < length
    for row in rows:  # within a row, each document is a run of consecutive tokens that begins at its first
        for before, token in pairwise(row):
            assert token == BOS or before == BOS or token == before + 1
            if token != BOS and before == BOS and packing == "best_fit":
                assert token in documents.offsets


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_best_fit_drops_only_what_it_crops(lengths):
    packer = PACKINGS["best_fit"](64, BOS)
    rows = all_rows(documents_of(lengths), packer)
    total = sum(lengths) + len(lengths)  # each document with its BOS
    lonely = int((rows[:, -1] == BOS).sum())  # a BOS in a row's last place announces no document
    assert 65 * len(rows) <= total + lonely
    assert packer.dropped <= total + lonely - 65 * len(rows)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_training_order_is_a_function_of_the_seed_and_covers_each_pass(packing):
    documents = documents_of([30, 50, 7, 90, 41, 12, 64])
    orders = [np.stack(list(islice(training_rows(documents, PACKINGS[packing](16, BOS), seed), 60))) for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    one_pass = len(all_rows(documents, PACKINGS[packing](16, BOS)))
    if packing == "consecutive":  # best-fit crops other documents in another order, and may need a row more or less
        first = orders[0][:one_pass, 1:]
        counts = Counter(first[first != BOS].tolist())
        assert max(counts.values()) == 1 and len(counts) > 294 - 16
    else:
        assert set(documents.offsets[:-1].tolist()) <= set(orders[0].flatten().tolist())  # every document is met


def test_scoring_rows_are_spread_over_the_text_and_depend_on_nothing_else():
    documents = documents_of([30, 50, 7, 90])
    everything = all_rows(documents, PACKINGS["consecutive"](16, BOS))
    rows = scoring_rows(documents, PACKINGS["consecutive"](16, BOS), 3)
    assert len(everything) == 11
    assert (rows == everything[[0, 3, 7]]).all()
    assert (scoring_rows(documents, PACKINGS["consecutive"](16, BOS), 11) == everything).all()
    with pytest.raises(ValueError, match="fills 11 rows"):
        scoring_rows(documents, PACKINGS["consecutive"](16, BOS), 12)


def test_a_training_text_too_short_for_a_row_is_an_error():
    with pytest.raises(ValueError, match="too short"):
        next(training_rows(documents_of([3]), PACKINGS["consecutive"](16, BOS), 0))


@settings(deadline=None)
@given(text=st.text())
def test_tokens_are_lossless_and_their_bytes_exact(tokenizer, text):
    text = text.encode("utf-8", "ignore").decode()
    ids = tokenizer.encode(text)
    assert b"".join(tokenizer.tokens[token] for token in ids).decode() == text
    assert tokenizer.byte_lengths()[ids].sum() == len(text.encode())


def test_a_part_of_a_character_counts_its_own_bytes(tokenizer):
    lengths = tokenizer.byte_lengths()
    part = tokenizer.tokens.index(b"\xe6")
    assert (lengths[part], lengths[tokenizer.bos]) == (1, 0)


def test_special_looking_text_is_text(tokenizer):
    assert tokenizer.bos not in tokenizer.encode("<|bos|>")


def test_a_tokenizer_survives_its_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.tokens == tokenizer.tokens
    assert loaded.encode("größe x+1").tolist() == tokenizer.encode("größe x+1").tolist()


def folder_of_text(folder, files=40):
    for number in range(files):
        path = folder / f"part{number % 3}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"document {number}: " + " ".join(str(number * k) for k in range(200)))
    (folder / "broken.txt").write_bytes(b"\xff\xfe\xff")
    (folder / "image.png").write_text("not text")
    return FilesCorpus(str(folder), ["*.txt"], 20)


def test_files_are_split_by_document_and_prepared_once(tmp_path):
    corpus = folder_of_text(tmp_path / "texts")
    documents = {split: set(corpus.documents(split)) for split in ("train", "validation", "confirmation")}
    assert sum(len(texts) for texts in documents.values()) == 40 == len(set.union(*documents.values()))
    said = []
    prepared = prepare("files", corpus, 300, tmp_path / "cache", said.append)
    assert said and prepared.damaged() is None
    assert prepared.splits["train"].documents == len(documents["train"])
    assert prepared.splits["train"].bytes == sum(len(text.encode()) for text in documents["train"])
    again = prepare("files", corpus, 300, tmp_path / "cache", said.clear)
    assert said and again.fingerprint == prepared.fingerprint
    elsewhere = prepare("files", folder_of_text(tmp_path / "copy"), 300, tmp_path / "other", said.append)
    assert elsewhere.fingerprint == prepared.fingerprint


def test_a_changed_text_is_prepared_anew_and_a_damaged_file_is_found(tmp_path):
    corpus = folder_of_text(tmp_path / "texts")
    before = prepare("files", corpus, 300, tmp_path / "cache", lambda text: None)
    (tmp_path / "texts" / "part0" / "0.txt").write_text("something else entirely, " * 100)
    after = prepare("files", corpus, 300, tmp_path / "cache", lambda text: None)
    assert after.fingerprint != before.fingerprint
    with (after.folder / "validation.tokens").open("r+b") as file:
        file.write(b"\x00\x01")
    assert after.damaged() == "validation.tokens"


def test_files_that_are_no_utf8_are_counted_and_named(tmp_path):
    corpus = folder_of_text(tmp_path / "texts")
    said = []
    prepare("files", corpus, 300, tmp_path / "cache", said.append)
    assert any("1 of 41 files are not UTF-8 (broken.txt), and are left out" in line for line in said)
    for path in (tmp_path / "texts").rglob("*.txt"):
        path.write_bytes(b"\xff\xfe" + path.read_bytes())
    with pytest.raises(UserError, match=r"41 of 41 files are not UTF-8 \(broken.txt, 0.txt, 12.txt, ...\), and no other"):
        prepare("files", corpus, 300, tmp_path / "cache", said.append)


def test_a_file_name_that_is_no_utf8_works(tmp_path):
    corpus = folder_of_text(tmp_path / "texts")
    Path(os.fsdecode(os.fsencode(tmp_path / "texts") + b"/caf\xe9.txt")).write_text("one more " * 50)
    prepared = prepare("files", corpus, 300, tmp_path / "cache", lambda text: None)
    assert sum(facts.documents for facts in prepared.splits.values()) == 41


def test_copies_of_a_file_share_a_split_and_are_counted(tmp_path):
    corpus = folder_of_text(tmp_path / "texts")
    for number in range(10):
        text = (tmp_path / "texts" / f"part{number % 3}" / f"{number}.txt").read_bytes()
        for copy in range(3):
            (tmp_path / "texts" / f"copy {copy} of {number}.txt").write_bytes(text + b"\r\n" * copy)
    said = []
    prepared = prepare("files", corpus, 300, tmp_path / "cache", said.append)
    assert any("30 of 71 files are copies of others" in line for line in said)
    assert sum(facts.documents for facts in prepared.splits.values()) == 70
    splits = [{text.strip() for text in corpus.documents(split)} for split in SPLITS]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 40


class Given:
    """A corpus of these documents, whatever is in which split."""

    def __init__(self, **documents):
        self.documents = lambda split: iter(documents[split])
        self.identity = self.fetch = lambda *_: "given"


@given(splits=st.lists(st.sets(st.integers(0, 40)), min_size=3, max_size=3))
def test_no_document_is_in_two_splits_whatever_the_corpus(splits):
    given = dict(zip(SPLITS, ([str(number) for number in sorted(split)] for split in splits), strict=True))
    apart = Apart(Given(**given))
    train, validation, confirmation = (list(apart.documents(split)) for split in SPLITS)
    assert confirmation == given["confirmation"]
    assert validation == [text for text in given["validation"] if text not in confirmation]
    assert train == [text for text in given["train"] if text not in {*confirmation, *validation}]
    assert apart.copies.total() == sum(map(len, splits)) - len(train) - len(validation) - len(confirmation)


def test_copies_in_a_later_split_are_counted_and_said(tmp_path):
    texts = [f"document {number}: " + " ".join(str(number * k) for k in range(200)) for number in range(30)]
    said = []
    corpus = Given(train=texts[:20], validation=texts[18:25], confirmation=texts[25:])
    prepared = prepare("given", corpus, 300, tmp_path / "cache", said.append)
    assert prepared.splits["train"].documents == 18
    assert [line for line in said if "without 2 copies of documents of a later split" in line]


@pytest.mark.parametrize("setting", [{"held_out_percent": 10}, {"patterns": ["*1.txt"]}])
def test_a_changed_setting_of_a_folder_is_another_text(tmp_path, setting):
    folder_of_text(tmp_path)
    first = {"folder": str(tmp_path), "patterns": ["*.txt"], "held_out_percent": 20}
    assert FilesCorpus(**first).identity(print) != FilesCorpus(**{**first, **setting}).identity(print)


def test_a_package_in_another_split_is_another_text():
    one = PythonCorpus(["pandas", "sklearn"], ["mlflow"], ["sqlalchemy"], [])
    other = PythonCorpus(["pandas"], ["sklearn", "mlflow"], ["sqlalchemy"], [])
    assert one.identity(print) != other.identity(print)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: FilesCorpus("", ["*.txt"], 5), "data.corpus.folder: is empty"),
        (lambda: FilesCorpus("texts", "*.txt", 5), r"data.corpus.patterns=\*.txt: must be a list"),
        (lambda: FilesCorpus("texts", ["*.txt"], 50), "data.corpus.held_out_percent=50: must be 1 to 49"),
        (lambda: PythonCorpus("pandas", ["mlflow"], ["sqlalchemy"], []), "data.corpus.train=pandas: must be a list"),
        (lambda: PythonCorpus(["pandas"], ["pandas"], ["sqlalchemy"], []), "a package is named twice"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(UserError, match=said):
        wrong()


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        (FilesCorpus("/nowhere/at/all", ["*.txt"], 5), "is not a folder"),
        (PythonCorpus(["pandas"], ["no_such_package"], ["sqlalchemy"], []), "no_such_package"),
    ],
)
def test_missing_text_is_an_error_with_a_remedy(corpus, said):
    with pytest.raises(UserError, match=said):
        corpus.identity(lambda text: None)


def test_too_little_text_for_the_vocabulary_is_an_error(tmp_path):
    (tmp_path / "texts").mkdir()
    for number in range(40):
        (tmp_path / "texts" / f"{number}.txt").write_text("ab")
    with pytest.raises(UserError, match=r"smaller task\.vocab_size"):
        prepare("tiny", FilesCorpus(str(tmp_path / "texts"), ["*.txt"], 20), 1000, tmp_path / "cache", lambda text: None)


def test_python_text_is_never_scored_on_what_training_reads(configure):
    node = configure("task=cpu").data.corpus
    corpus = PythonCorpus(node["train"], node["validation"], node["confirmation"], node["exclude"])
    splits = ("train", "validation", "confirmation")
    files = {split: {path for name in node[split] for path in corpus._paths(package_folder(name))} for split in splits}
    assert all(files.values())
    assert not files["train"] & (files["validation"] | files["confirmation"])
    assert not files["validation"] & files["confirmation"]
    assert not any("/tests/" in path.as_posix() for path in files["train"])


PACKAGES = {"train": "first_text", "validation": "second_text", "confirmation": "third_text"}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs the three packages, all of one version, into a folder that takes the place of an earlier one."""

    def installed(version, where):
        for name in PACKAGES.values():
            package, record = tmp_path / where / name, tmp_path / where / f"{name}-{version}.dist-info"
            package.mkdir(parents=True)
            record.mkdir()
            (package / "__init__.py").write_text(f"# {name} {version}\n" + f"{name} = range(1000)\n" * 20)
            (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (record / "top_level.txt").write_text(name)
        others = [path for path in sys.path if str(tmp_path) not in path]
        monkeypatch.setattr(sys, "path", [str(tmp_path / where), *others])
        importlib.invalidate_caches()

    return installed


def test_python_text_is_known_by_its_packages_versions_wherever_they_lie(install):
    def identity(exclude=()):
        return PythonCorpus(*([name] for name in PACKAGES.values()), exclude).identity(lambda text: None)

    install("1.0", "here")
    before = identity()
    assert identity(["*/tests/*"]) != before
    install("1.0", "there")
    assert identity() == before
    install("1.1", "upgraded")
    assert identity() != before


def test_a_study_goes_on_with_the_text_it_began_with_when_packages_have_changed_or_gone(configure, install, tmp_path):
    texts = [f"data.corpus.{split}=[{name}]" for split, name in PACKAGES.items()]
    config = configure("task=smoke", "data=python", "task.vocab_size=270", f"cache={tmp_path / 'cache'}", *texts)
    study = tmp_path / "study"
    assert text_of(study) is None
    install("1.0", "here")
    before = prepare_data(config, lambda text: None, text_of(study))
    with Journal(study, print) as journal:
        open_study(config, Opening(stock_of(config), before.fingerprint, "none"), journal)
    install("1.1", "upgraded")
    assert prepare_data(config, lambda text: None).fingerprint != before.fingerprint  # a new study has the new text
    shutil.rmtree(tmp_path / "upgraded")
    importlib.invalidate_caches()
    after = prepare_data(config, lambda text: None, text_of(study))
    assert (after.folder, after.fingerprint) == (before.folder, before.fingerprint)
    with Journal(study, print) as journal:
        open_study(config, Opening(stock_of(config), after.fingerprint, "none"), journal)
    (after.folder / "train.tokens").write_bytes(b"")
    with pytest.raises(UserError, match="was changed after it was prepared"):
        prepare_data(config, lambda text: None, text_of(study))


def test_a_manifest_names_every_file(tmp_path):
    prepared = prepare("files", folder_of_text(tmp_path / "texts"), 300, tmp_path / "cache", lambda text: None)
    manifest = json.loads((prepared.folder / "manifest.json").read_text())
    files = {path.name for path in prepared.folder.iterdir()} - {"manifest.json"}
    assert set(manifest["hashes"]) == files
