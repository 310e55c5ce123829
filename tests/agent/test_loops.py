"""The fake model's studies: what its figures rest on."""

from __future__ import annotations

from tests.loops.__main__ import play


def test_a_study_of_the_fake_model_can_be_played_again():
    first, again = play(0, 6), play(0, 6)
    assert first == again and first["gain"] > 0 and first["accepted"] > 0.5
