from __future__ import annotations

import numpy as np
import pytest

from ml.anchors import apply_anchors

ANCHORS = ((0.0, 0.0), (4.0, 40.0), (20.0, 100.0))


def test_values_lie_on_the_lines_between_anchors_and_stay_flat_beyond():
    points = apply_anchors([-5.0, 0.0, 2.0, 4.0, 12.0, 20.0, 1e9], ANCHORS)
    np.testing.assert_allclose(points, [0.0, 0.0, 20.0, 40.0, 70.0, 100.0, 100.0])


def test_points_may_fall():
    np.testing.assert_allclose(apply_anchors([0.0, 5.0, 10.0], ((0, 100), (10, 0))), [100.0, 50.0, 0.0])


def test_missing_stays_missing_and_shape_is_kept():
    points = apply_anchors(np.array([[np.nan, 4.0]]), ANCHORS)
    assert points.shape == (1, 2)
    assert np.isnan(points[0, 0])
    assert points[0, 1] == 40.0


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        (((0.0, 0.0),), "two or more pairs"),
        ((0.0, 1.0), "two or more pairs"),
        (((0.0, 0.0), (0.0, 100.0)), "rise from pair to pair"),
        (((4.0, 0.0), (0.0, 100.0)), "rise from pair to pair"),
        (((0.0, 0.0), (float("nan"), 100.0)), "finite"),
    ],
)
def test_anchors_that_make_no_map_are_refused_in_words(anchors, words: str):
    with pytest.raises(ValueError, match=words):
        apply_anchors([1.0], anchors)
