"""Pages of MLflow's UI, and how to get there."""

from __future__ import annotations

from urllib.parse import quote

from omegaconf import OmegaConf

from search.config.messages import command
from search.config.places import CONF
from search.config.secrets import masked
from search.tracking.store import absolute

# MLflow 3 begins in the mode for applications of LLMs, which hides charts of metrics.
MODE = "workflowType=machine_learning"


def studies_page(experiment: str) -> str:
    """The page that overlays the curves of an experiment's runs. `experiment`: MLflow's id."""
    return f"/#/experiments/{experiment}/runs?{MODE}&compareRunsMode=CHART"


def artifact_page(experiment: str, run: str, path: str) -> str:
    """The page that shows one artifact of a run."""
    return f"/#/experiments/{experiment}/runs/{run}/artifacts/{quote(path)}?{MODE}"


def directions(uri: str, experiment: str, *pages: str) -> list[str]:
    """Lines that lead to a store: to its `pages` where it is a server, else to the command that serves it. No password is in
    them. `experiment`: its name."""
    if uri.startswith("http"):
        return [f"see it: {masked(uri.rstrip('/'))}{page}" for page in pages]
    usual = absolute(OmegaConf.load(CONF / "ui.yaml").tracking.uri)
    elsewhere = [] if absolute(uri) == usual else [f"tracking.uri={masked(uri)}"]
    return [f"see it: {command('search.ui', f'experiment={experiment}', *elsewhere)}"]
