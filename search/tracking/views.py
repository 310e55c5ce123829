"""A saved view of an experiment's charts: parallel coordinates over the constants of all trials, in one click.

MLflow's UI keeps the views that its users save or share as tags of the experiment, and opens one by its key. MLflow 3.17
lists them in the menu Views, by the name in the tag; earlier versions read the view's own fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from search.tracking.links import studies_page
from search.tracking.words import EXPERIMENT_DESCRIPTION, NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONSTANTS = "constants"  # the key of the view
TAG = f"mlflow.sharedViewState.{CONSTANTS}"
NAME = "Constants and scores of all trials"


def share(client: MlflowClient, experiment: str, header: Mapping[str, Any]) -> None:
    """Saves the view in an experiment, if the study of that header has constants to search, and links to it in the
    experiment's description, unless somebody has written another one."""
    if space := _space(header):
        client.set_experiment_tag(experiment, TAG, constants_view(space, header["time"]))
        if client.get_experiment(experiment).tags.get(NOTE) == EXPERIMENT_DESCRIPTION:
            client.set_experiment_tag(experiment, NOTE, f"{EXPERIMENT_DESCRIPTION} {constants_link(experiment)}")


def remark(header: Mapping[str, Any], experiment: str) -> str:
    """Returns the link for the description of such a study; empty for others."""
    return constants_link(experiment) if _space(header) else ""


def constants_view(constants: Iterable[str], time: float) -> str:
    """Returns the value of TAG for these axes and `val_bpb`. `time`: when it was made, in seconds since the epoch."""
    chart = {
        "uuid": CONSTANTS,
        "type": "PARALLEL",
        "metricSectionId": CONSTANTS,
        "selectedParams": list(constants),
        "selectedMetrics": ["val_bpb"],
        "showAllRuns": True,
        "deleted": False,
    }
    section = {"uuid": CONSTANTS, "name": NAME, "display": True, "isReordered": True, "columns": 1, "cardHeight": 400}
    view = {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": "metrics.`val_bpb`",  # by any order but the one of time trials are not folded into their studies
        "orderByAsc": True,
        "runListHidden": True,
        "compareRunCharts": [chart],
        "compareRunSections": [section],
    }
    made = int(time * 1000)
    return json.dumps({**view, "name": NAME, "createdAt": made, "updatedAt": made, "state": json.dumps(view)})


def constants_page(experiment: str) -> str:
    """Returns the page that shows the view. `experiment`: MLflow's id."""
    return f"{studies_page(experiment)}&viewStateShareKey={CONSTANTS}"


def constants_link(experiment: str) -> str:
    """Returns the same as a sentence of Markdown, for the texts on MLflow's own pages."""
    return f"[{NAME}]({constants_page(experiment).removeprefix('/')}) are one click away."


def _space(header: Mapping[str, Any]) -> list[str]:
    return list(header["config"]["strategy"].get("space") or ())
