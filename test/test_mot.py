"""Multi-object tracking over whole simulated drives, scored the way the field does (CLEAR MOT and IDF1, py-motmetrics).

``pytest test/test_mot.py -s`` prints the figures.
"""

import math

import numpy as np
import pytest
from radar_scene import Scene, run, straight

mm = pytest.importorskip("motmetrics")

NEAR_M = 2.5  # a track whose centre is farther from a car is not that car
REACH_M = 70.0
SETTLED_S = 0.5


def bodies(scene, t):
    """Bodies within the view of the radar by their number, and those beyond it, which may have a track or not."""
    true = {number: scene.truth(t, at(t)) for number, at in enumerate(scene.bodies)}
    seen = {n: b for n, b in true.items() if 6.0 < b.x < REACH_M and abs(math.atan2(b.y, b.x)) < math.radians(35.0)}
    return seen, [b for n, b in true.items() if n not in seen]


def distance(track, body):
    return math.hypot(body.x - track.x_m, body.y - track.y_m)


def score(scene, seconds):
    """Return MOTA, IDF1, MOTP in metres, switches, fragmentations."""
    book = mm.MOTAccumulator(auto_id=True)
    for t, objects in run(scene, seconds):
        if t < SETTLED_S:
            continue
        truth, beyond = bodies(scene, t)
        tracks = [o for o in objects.tracks if all(distance(o, b) > NEAR_M for b in beyond) and abs(o.vx_mps) > 1.0]
        gaps = np.array([[distance(o, b) for o in tracks] for b in truth.values()])
        gaps = np.where(gaps > NEAR_M, np.nan, gaps).reshape(len(truth), len(tracks))
        book.update(list(truth), [o.id for o in tracks], gaps)
    names = ["mota", "idf1", "motp", "num_switches", "num_fragmentations", "num_false_positives", "num_misses"]
    return mm.metrics.create().compute(book, metrics=names, name="x").iloc[0]


POSTS = np.array([[x, side * 9.0] for x in range(10, 400, 12) for side in (-1, 1)], float)
SCENES = {
    "queue of four": Scene(speed=22.0, bodies=tuple(straight(25.0 + 14.0 * i, 0.0, 22.0) for i in range(4))),
    "three lanes": Scene(speed=25.0, bodies=tuple(
        straight(20.0 + 9.0 * i, (-3.6, 0.0, 3.6)[i % 3], 25.0 + (-2.0, 0.0, 2.0)[i % 3]) for i in range(6)
    ), posts=POSTS),
    "overtaken on both sides": Scene(speed=20.0, bodies=(
        straight(5.0, 3.6, 26.0), straight(8.0, -3.6, 24.0), straight(40.0, 0.0, 20.0),
    )),
    "braking queue": Scene(speed=12.0, bodies=tuple(straight(35.0 + 12.0 * i, 0.0, 14.0, -1.5, 1.0) for i in range(3))),
    "poor radar": Scene(speed=22.0, bodies=tuple(straight(20.0 + 15.0 * i, 3.6 * (i % 2), 22.0) for i in range(4)),
                        range_sigma=0.3, bearing_sigma=0.01, detection=0.8, posts=POSTS),
}  # fmt: skip

# A car that comes from beside the radar into its view is two tracks for some seconds: its front, then its rear.
LOWEST = {"overtaken on both sides": (0.5, 0.75)}


@pytest.fixture(scope="module")
def table():
    """Score every scene once."""
    return {name: score(scene, 5.0) for name, scene in SCENES.items()}


@pytest.mark.parametrize("name", SCENES)
def test_tracks_are_whole_and_keep_their_number(table, name):
    row = table[name]
    print(f"\n{name}: " + "  ".join(f"{key} {row[key]:.3f}" for key in row.index))
    assert row["mota"] > LOWEST.get(name, (0.9, 0.9))[0] and row["idf1"] > LOWEST.get(name, (0.9, 0.9))[1]
    assert row["num_switches"] == 0 and row["num_misses"] <= 3 and row["motp"] < 0.4


def test_the_score_would_notice_swapped_tracks():
    book = mm.MOTAccumulator(auto_id=True)
    for k in range(10):
        book.update([1, 2], [1, 2] if k < 5 else [2, 1], np.array([[0.1, np.nan], [np.nan, 0.1]]))
    row = mm.metrics.create().compute(book, metrics=["num_switches", "idf1"], name="x").iloc[0]
    assert row["num_switches"] == 2 and row["idf1"] == pytest.approx(0.5)
