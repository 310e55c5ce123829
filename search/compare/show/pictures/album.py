"""All pictures of a report."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.results import Analysis
from search.compare.read.tables import Experiment
from search.compare.show.pictures.canvas import Picture
from search.compare.show.pictures.contrasts import contrast_pictures
from search.compare.show.pictures.curves import curve_pictures
from search.compare.show.pictures.noise import noise_pictures
from search.compare.show.pictures.speed import speed_pictures
from search.compare.show.pictures.waterfall import waterfall_pictures
from search.tracking.colours import styles


@dataclass(frozen=True)
class Album:
    """By what they are about; empty where there is nothing to draw."""

    contrasts: tuple[Picture, ...]
    curves: tuple[Picture, ...]
    waterfalls: tuple[Picture, ...]
    noise: tuple[Picture, ...]
    speed: tuple[Picture, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return self.contrasts + self.curves + self.waterfalls + self.noise + self.speed


def album_of(experiment: Experiment, analysis: Analysis) -> Album:
    colours = styles({study.strategy: (study.name, study.role) for study in experiment.studies})
    controls = frozenset(study.strategy for study in experiment.control)
    return Album(
        contrasts=contrast_pictures(analysis, colours),
        curves=curve_pictures(analysis, colours, controls),
        waterfalls=waterfall_pictures(analysis, colours, controls),
        noise=noise_pictures(experiment, analysis, colours),
        speed=speed_pictures(experiment, analysis, colours),
    )
