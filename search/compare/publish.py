"""Puts a report into MLflow, one run per experiment and task, which later reports replace. Also sets the words and colors
there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.compare.analyse.analysis import Analysis
from search.compare.analyse.finding import Name, Scope
from search.compare.show.view import View
from search.page.text import markdown
from search.tracking.about import origin
from search.tracking.colours import NEUTRAL, Style
from search.tracking.links import artifact_page, studies_page
from search.tracking.result import with_result
from search.tracking.store import absolute, all_runs, connect, outages, sent_once, unusable
from search.tracking.views import TAG, constants_link
from search.tracking.words import EXPERIMENT_DESCRIPTION

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from search.compare.comparison import Comparison

KIND = "report"
DESCRIPTION = "mlflow.note.content"
COLOUR = "mlflow.runColor"
WHERE = "The report is the artifact `report.html` of the run whose name begins with `report`."
ALL = "At first the charts show ten studies; the eye above the list shows all of them."
LONGEST_DESCRIPTION = 4900  # letters; MLflow takes 5,000 for an experiment's tag


def publish(
    uri: str, compared: Comparison, styles: Mapping[str, Style], folder: Path, files: Sequence[Path]
) -> tuple[str, str]:
    """Logs the report's files, which are in `folder`, and sets the experiment's description and its studies' colors. Returns
    the pages of the studies' curves and of the report in MLflow's UI. Raises UserError if the store is out of reach."""
    analysis = compared.view.analysis
    try:
        client = connect(absolute(uri))
        found = client.get_experiment_by_name(analysis.experiment)
        assert found is not None  # its studies were just read
        experiment = str(found.experiment_id)
        run = _run(client, experiment, analysis)
        for path in files:
            place = path.relative_to(folder).parent.as_posix()
            client.log_artifact(run, str(path), None if place == "." else place)
        client.set_tag(run, DESCRIPTION, _verdict(compared))
        client.set_terminated(run)
        client.set_experiment_tag(experiment, DESCRIPTION, _description(client, experiment))
        _complete(client, experiment, compared.view, styles)
    except outages() as error:
        raise unusable(uri, error) from error
    return studies_page(experiment), artifact_page(experiment, run, "report.html")


def _run(client: MlflowClient, experiment: str, analysis: Analysis) -> str:
    """Returns the report's run of this experiment and task, which it creates if needed."""
    query = f"tags.kind = '{KIND}' and tags.`fairtrial.task` = '{analysis.task_fingerprint}'"
    runs = all_runs(client, experiment, query)
    if runs:
        return str(runs[0].info.run_id)
    tags = {"kind": KIND, "fairtrial.task": analysis.task_fingerprint, "task": analysis.task, COLOUR: NEUTRAL, **origin()}
    with sent_once():
        run = client.create_run(experiment, tags=tags, run_name=f"report, task {analysis.task}")
    return str(run.info.run_id)


def _verdict(compared: Comparison) -> str:
    """Returns the verdict. MLflow shows only the first line of an experiment's description until it is opened, and its first
    page shows that line as plain text."""
    first, *others = compared.verdict
    lines = "\n".join(f"- {_said(sentence)}" for sentence in others)
    return f"Task {markdown(compared.experiment.task)}: {_said(first)}\n\n{lines}\n\n{WHERE}"


def _said(sentence: str) -> str:
    """The sentence as Markdown. MLflow shows the backslash before a `<`, which stands before small p."""
    return markdown(sentence.replace("p < ", "p below "))


def _description(client: MlflowClient, experiment: str) -> str:
    """The verdict of every task that was compared, and how to read the page."""
    reports = all_runs(client, experiment, f"tags.kind = '{KIND}'")
    verdicts = sorted(run.data.tags[DESCRIPTION] for run in reports if DESCRIPTION in run.data.tags)
    link = [constants_link(experiment)] if TAG in client.get_experiment(experiment).tags else []
    text = "\n\n".join([*verdicts, " ".join(["**How to read this page.**", EXPERIMENT_DESCRIPTION, ALL, *link])])
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION]}... (the report has all of it)"


def _complete(client: MlflowClient, experiment: str, view: View, styles: Mapping[str, Style]) -> None:
    """Adds what only a comparison knows of a study: its strategy's color, and how much of its gain was confirmed."""
    for run in all_runs(client, experiment, "tags.kind = 'study'"):
        facts, tags = view.facts.get(run.data.tags.get("fairtrial.study", "")), run.data.tags
        if facts is None:
            continue
        if tags.get(COLOUR) != styles[facts.strategy].colour:
            client.set_tag(str(run.info.run_id), COLOUR, styles[facts.strategy].colour)
        gain = view.analysis.find(Scope.PROGRAM, Name.GAIN, facts.study)
        if gain is not None and gain.estimate is not None:
            confirmed, claimed = (view.of(Scope.PROGRAM, name, facts.study) for name in (Name.GAIN, Name.CLAIMED))
            words = [
                f"**Gain over the stock, trained again and on unseen text: {confirmed}**",
                f"{markdown(view.word(gain))}; its study claimed {claimed}",
                f"Next: the report, `report.html` of the run `report, task {view.analysis.task}`",
            ]
            client.set_tag(str(run.info.run_id), DESCRIPTION, with_result(words, tags.get(DESCRIPTION, "")))
