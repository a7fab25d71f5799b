import math

import pytest

from adas_perception.perception.ego_motion import EgoMotion, Pose
from adas_perception.types import EgoState, nanoseconds

START = nanoseconds(100.0)


def driven(speed=10.0, yaw_rate=0.0, seconds=1.0, step=0.02):
    motion = EgoMotion()
    for k in range(round(seconds / step) + 1):
        motion.add(EgoState(START + nanoseconds(k * step), speed, yaw_rate_radps=yaw_rate))
    return motion


@pytest.mark.parametrize("t", [0.0, 0.013, 0.5, 1.0, 1.2])
def test_a_circle_is_a_circle_between_samples_and_beyond(t):
    pose = driven(10.0, 0.5).pose(START + nanoseconds(t))
    assert pose.yaw_rad == pytest.approx(0.5 * t)
    assert (pose.x_m, pose.y_m) == pytest.approx((20.0 * math.sin(0.5 * t), 20.0 * (1.0 - math.cos(0.5 * t))), abs=0.02)


def test_samples_that_are_not_newer_change_nothing():
    motion = driven()
    before = motion.pose(START + nanoseconds(1.0))
    for stamp in (START + nanoseconds(1.0), START):
        motion.add(EgoState(stamp, 99.0))
    assert motion.pose(START + nanoseconds(1.0)) == before


def test_the_first_sample_is_the_origin_and_before_it_there_is_nothing():
    assert driven().pose(START) == Pose(0.0, 0.0, 0.0)
    with pytest.raises(LookupError, match="before its first sample"):
        EgoMotion().pose(START)


def test_a_pose_seen_from_itself_is_zero_and_from_behind_lies_ahead():
    later, sooner = Pose(3.0, 4.0, 1.0), Pose(3.0, 2.0, math.pi / 2.0)
    assert later.seen_from(later) == Pose(0.0, 0.0, 0.0)
    assert later.seen_from(sooner) == pytest.approx((2.0, 0.0, 1.0 - math.pi / 2.0))
