"""Studies of a few synthetic trials, published to databases and servers of their own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient

from search.console.run_study import make_strategy
from search.data.tokens import prepare_data
from search.executor.drive import drive
from search.runner.stock import stock_of
from search.study.budget import Budget
from search.study.identity import Opening, open_study
from search.study.journal import Journal
from search.study.study import Study
from search.testing.synthetic import ONE, FailsOn, OneByOne, Silent
from search.tracking import publisher as publisher_module
from search.tracking import store
from search.tracking.publisher import MlflowPublisher


@dataclass
class Publish:
    """Runs a study, or what is left of it, in a folder of its own. `said`: by the publisher, in all starts. `opened`, `ran`:
    called when the publisher is there, and when the loop has ended. `client`: replaces the publisher's own, which it is
    given."""

    configure: object
    folder: Path
    uri: str
    patch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)
    opened: object = lambda: None
    ran: object = lambda: None
    client: object = lambda client: client
    status: str = "FINISHED"

    def __call__(self, trials, *overrides, strategy=None, runner=None, several=ONE):
        given = (f"tracking.uri='{self.uri}'", *overrides)
        config = self.configure("task=smoke", "experiment=test", f"study.trials={trials}", *given)
        with Journal(self.folder / "study" / config.strategy_name, self.said.append) as journal:
            prepared = prepare_data(config, self.said.append)
            stock = stock_of(config)
            open_study(config, Opening(stock, prepared.fingerprint, "none"), journal)
            with self.patch.context() as patch:
                patch.setattr(publisher_module, "connect", lambda uri: self.client(store.connect(uri)))
                publisher = MlflowPublisher(config.tracking.uri, journal, self.said.append)
            self.opened()
            strategy = strategy or make_strategy(config, stock.text, self.folder)
            runner = runner or FailsOn(fails=lambda number: number == 2)
            budget = Budget(config.study)
            study = Study(strategy, journal, budget, stock.text, 0, 0.0, parallel=several.parallel)
            drive(study, OneByOne(runner, several.order), Silent(), publisher)
            self.ran()
            publisher.close(self.status)
        return publisher

    @property
    def store(self):
        return MlflowClient(store.absolute(self.uri))

    def runs(self, kind):
        experiment = self.store.get_experiment_by_name("test").experiment_id
        return store.all_runs(self.store, experiment, f"tags.kind = '{kind}'")

    def artifact(self, run, path):
        return Path(self.store.download_artifacts(run.info.run_id, path, self.folder)).read_text()


@pytest.fixture
def publish(configure, mlflow_file, tmp_path, monkeypatch):
    """To a database."""
    monkeypatch.setattr(store, "MLRUNS", tmp_path / "mlruns")
    monkeypatch.setattr(publisher_module, "FIRST_PAUSE", 0.01)
    (tmp_path / "mlruns").mkdir()
    shutil.copy(mlflow_file, tmp_path / "mlruns" / "mlflow.db")
    return Publish(configure, tmp_path, store.sqlite_uri(tmp_path / "mlruns" / "mlflow.db"), monkeypatch)
