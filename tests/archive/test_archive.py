"""A study in one file: what is in it, what is refused, and what training a sample again finds out. Nothing is trained."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from types import SimpleNamespace

import pytest

from search.archive import ground as grounds
from search.archive import pack as packing
from search.archive import retrain
from search.archive import unpack as unpacking
from search.archive import verify as verifying
from search.archive.judge import Again, Agreement, Judge
from search.archive.pack import pack
from search.archive.unpack import unpack
from search.config.commands import VerifyConfig
from search.config.messages import UserError
from search.executor.drive import drive
from search.runner.stock import stock_of
from search.study import source
from search.study.budget import Budget
from search.study.identity import Opening, identity, open_study
from search.study.journal import Journal
from search.study.study import Study
from search.study.trial import Candidate, Outcome, Status
from search.testing.synthetic import Nowhere, OneByOne, Silent, SyntheticRunner

NAMES = ("DEPTH", "ASPECT_RATIO", "HEAD_DIM", "TOTAL_BATCH_SIZE", "DEVICE_BATCH_SIZE", "MATRIX_LR")
PROGRAM = "".join(f"{name} = 1\n" for name in NAMES)  # what the task sets
SECRETS = ("hunter2", "/home/somebody", "/somewhere", "node17")


class Runs(SyntheticRunner):
    """Says where it ran, and where its files lie."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        tail = 'File "/home/somebody/train.py", line 3'
        return Outcome(**{**vars(outcome), "device": "AMD node17:cpu-0", "seconds": {"train": 1.0}, "log_tail": tail})

    def close(self):
        pass


class Rates:
    """Proposes one rate after the other."""

    def __init__(self, stock):
        self.stock = stock

    def ask(self, history, pending, noise_floor):
        rate = 0.1 + 0.01 * len(history)
        return Candidate(source.set_constants(self.stock, {"MATRIX_LR": rate}), parent=0, note=f"see /home/somebody/{rate}")

    def tell(self, trial):
        pass


@pytest.fixture
def archive(tmp_path, configure, monkeypatch):
    """Of a study of six trials; the harness's slow half is replaced."""
    studies = tmp_path / "studies"
    monkeypatch.setattr(packing, "STUDIES", studies)
    monkeypatch.setattr(packing, "MLRUNS", tmp_path)
    monkeypatch.setattr(verifying, "MLRUNS", tmp_path)
    monkeypatch.setattr(grounds, "prepare_data", lambda config, say, wanted: SimpleNamespace(fingerprint="text"))
    monkeypatch.setattr(retrain, "make_runner", lambda *_: Runs())
    start = tmp_path / "train.py"
    start.write_text(PROGRAM)
    words = ["task=smoke", f"start={start}", "experiment=e", "strategy=optuna", "study.trials=6", "cache=/somewhere/cache"]
    config = configure(*words, "tracking.uri=postgresql://me:hunter2@host/db")
    stock = stock_of(config)
    with Journal(studies / identity(config), print) as journal:
        open_study(config, Opening(stock, "text", "none", [*words, "tracking.uri=sqlite:////somewhere/m.db"]), journal)
        study = Study(Rates(stock.text), journal, Budget(config.study), stock.text, 0, 1.0)
        drive(study, OneByOne(Runs()), Silent(), Nowhere())
    (tmp_path / "reports/e/smoke").mkdir(parents=True)
    (tmp_path / "reports/e/smoke/report.md").write_text("from /home/somebody/x\n")
    assert pack("e/smoke/optuna-tpe/0", tmp_path / "a.zip", print) == 6
    return tmp_path / "a.zip"


def contents(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path, change, remake):
    """Another archive, changed by a forger. `remake`: with a manifest that says so."""
    files = contents(path)
    change(files)
    if remake:
        manifest = json.loads(files["manifest.json"])
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "manifest.json"}
        files["manifest.json"] = json.dumps({**manifest, "files": hashes}).encode()
    forged = path.with_name("forged.zip")
    with zipfile.ZipFile(forged, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return forged


def better(number):
    """Of trial `number`, a better score than it had, wherever it stands."""

    def change(files):
        score = [line.split(",")[3] for line in files["scores.csv"].decode().splitlines()][number + 1]
        for name in ("journal.jsonl", "scores.csv"):
            files[name] = files[name].replace(score.encode(), repr(float(score) - 0.125).encode())

    return change


def verified(path, sample=3):
    said = []
    verifying.verify(VerifyConfig(str(path), sample, cache="/c", sandbox="none"), said.append)
    return "\n".join(said)


def test_an_archive_is_the_same_each_time_and_names_neither_machine_nor_user(archive, tmp_path):
    again = tmp_path / "again.zip"
    pack("e/smoke/optuna-tpe/0", again, print)
    assert archive.read_bytes() == again.read_bytes()
    files = contents(archive)
    assert {"manifest.json", "journal.jsonl", "scores.csv", "task.json", "report/report.md"} < files.keys()
    for name, data in files.items():
        assert not [secret for secret in (*SECRETS, str(tmp_path)) if secret in data.decode()], name
    read = unpack(archive)
    assert len(read.entries) == 6 and read.entries[0].trial.candidate.source.count("\n") >= len(NAMES)


def test_what_is_trained_again_agrees_and_the_rest_is_said_to_rest_on_hashes(archive):
    said = verified(archive)
    assert said.count("agrees exactly") == 3 and "3 more scores were checked by hashes alone" in said
    assert "it agrees: 3 of 3" in said and "trial 0: agrees exactly" in said


def test_an_edit_is_refused_and_under_hashes_made_anew_training_finds_it(archive):
    with pytest.raises(UserError, match=r"its (journal|scores)\S+ does not match its manifest"):
        verified(rewritten(archive, better(4), remake=False))
    forged = rewritten(archive, better(4), remake=True)
    assert "is not detected" in verified(forged, sample=0)  # hashes alone cannot tell
    with pytest.raises(UserError, match="trial 4 has another score here than there"):
        verified(forged, sample=6)
    lied = rewritten(archive, lambda files: files.update({"scores.csv": b"number\n"}), remake=True)
    with pytest.raises(UserError, match=r"its scores.csv and its journal do not agree"):
        verified(lied)


def test_another_program_under_a_trial_s_name_is_refused(archive):
    def change(files):
        name = next(name for name in files if name.startswith("programs/"))
        files[name] += b"# better\n"

    with pytest.raises(UserError, match="is not the one that its journal names"):
        verified(rewritten(archive, change, remake=True))


@pytest.mark.parametrize("name", ["../escaped.py", "/absolute.py", "a/../../b.py", "programs/.hidden"])
def test_names_that_lead_elsewhere_are_refused(archive, name):
    with pytest.raises(UserError, match="which is not the name of an archive's file"):
        unpack(rewritten(archive, lambda files: files.update({name: b""}), remake=True))


def test_links_bombs_and_what_is_no_archive_are_refused(archive, monkeypatch):
    with zipfile.ZipFile(archive, "a") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="link, which is not a plain file"):
        unpack(archive)
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1000)
    bomb = rewritten(archive, lambda files: files.update({"zeros": bytes(2000)}) or files.pop("link"), remake=True)
    with pytest.raises(UserError, match="unpacks to more than"):
        unpack(bomb)
    bomb.write_bytes(b"PK nothing")
    for path in (bomb, bomb.with_name("missing.zip")):
        with pytest.raises(UserError, match="archive="):
            unpack(path)


def test_nothing_that_an_archive_names_is_called(archive):
    """Its data set and its limits are those of this copy of the program, by their names alone."""

    def forge(name, target):
        def change(files):
            first, _, rest = files["journal.jsonl"].partition(b"\n")
            line = json.loads(first)
            line["config"]["data"] = {"name": name, "corpus": {"_target_": target, "command": "touch /tmp/x"}}
            line["config"]["task"]["memory_gb"] = 1e9
            files["journal.jsonl"] = json.dumps(line).encode() + b"\n" + rest

        return change

    here = grounds.ground(unpack(rewritten(archive, forge("python", "os.system"), True)), VerifyConfig(cache="/c"), print)
    assert here.config.data.corpus["_target_"] == "search.data.corpus.PythonCorpus" and here.config.task.memory_gb == 4
    with pytest.raises(UserError, match="data=os: is not a data set"):
        verified(rewritten(archive, forge("os", "os.system"), True))


def test_a_machine_s_speed_is_told_apart_from_an_edited_score(archive):
    entries = unpack(archive).entries[:3]

    def here(*shifts):
        outcomes = (Outcome(Status.COMPLETED, entry.trial.val_bpb + by) for entry, by in zip(entries, shifts, strict=True))
        return [Again(entry, outcome) for entry, outcome in zip(entries, outcomes, strict=True)]

    in_seconds = Judge(in_tokens=False, alike=False, noise=0.01)
    assert in_seconds.judge(here(0.3, 0.32, 0.5)) == [Agreement.REFERENCE, Agreement.WITHIN, Agreement.DIFFERS]
    assert Judge(False, False, None).judge(here(0.3, 0.3, 0.3))[1] is Agreement.UNJUDGED
    alike, other = (Judge(True, alike, 0.01).judge(here(0.0, 0.001, 0.1)) for alike in (True, False))
    assert alike == [Agreement.EXACT, Agreement.DIFFERS, Agreement.DIFFERS]
    assert other == [Agreement.EXACT, Agreement.WITHIN, Agreement.DIFFERS]
