"""The report's pictures: an analysis in, bytes of SVG and PNG out. The same analysis gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping

from search.compare.read.tables import Experiment
from search.compare.show.pictures.machine import machine_picture
from search.compare.show.pictures.parts import parts_picture
from search.compare.show.pictures.trials import trial_pictures
from search.compare.show.view import View
from search.page.canvas import Picture
from search.tracking.colours import Style


def pictures_of(experiment: Experiment, view: View, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """In the report's order, as far as there is something to draw."""
    found = (parts_picture(view), *trial_pictures(experiment, view, styles), machine_picture(experiment, view, styles))
    return tuple(picture for picture in found if picture is not None)
