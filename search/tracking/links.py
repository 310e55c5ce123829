"""Pages of MLflow's UI, and how to get there."""

from __future__ import annotations

from urllib.parse import quote

from search.config.messages import command
from search.config.secrets import masked

ADDRESS = "http://127.0.0.1:5000"  # of a server that the user starts, where the store is a file


def studies_page(experiment: str) -> str:
    """The page that overlays the curves of an experiment's studies. `experiment`: MLflow's id."""
    studies, order = quote("tags.kind='study'"), quote("params.`seed`")
    # MLflow draws the first ten runs: by search seed, every strategy is among them.
    return (
        f"/#/experiments/{experiment}/runs?searchFilter={studies}&orderByKey={order}&orderByAsc=true&compareRunsMode=CHART"
    )


def artifact_page(experiment: str, run: str, path: str) -> str:
    """The page that shows one artifact of a run."""
    return f"/#/experiments/{experiment}/runs/{run}/artifacts/{quote(path)}"


def directions(uri: str, *pages: str) -> tuple[str, ...]:
    """Lines that lead to pages of the store at `uri`; at least one."""
    if uri.startswith("http"):
        return tuple(f"see it: {masked(uri.rstrip('/'))}{page}" for page in pages)
    server = "see it: " + command("mlflow", "server", "--backend-store-uri", masked(uri), "--port", "5000", "--workers", "1")
    return server, *(f"   then {ADDRESS}{page}" for page in pages)
