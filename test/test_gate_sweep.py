"""Dense sweeps of the gate, in the manner of opendbc: every boundary, and random commands by the hundred thousand."""

import math
import os
from dataclasses import replace

import numpy as np
import pytest

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import Proposal
from adas_perception.safety.gate import Gate
from adas_perception.types import DriverInput, EgoState, Function, Gear

LIMITS, VEHICLE = Limits(), Vehicle()
START = 10_000_000_000
EVERYONE = frozenset(Function)
COUNT = int(os.environ.get("GATE_COMMANDS", "20000"))
OWNERS = (Function.ACC, Function.AEB, Function.APA, Function.FALLBACK, Function.LKA, Function.DRIVER, Function.NONE)
WILD = (math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, -0.0)


def gain(speed: float) -> float:
    v2 = max(abs(speed), 1.0) ** 2
    return v2 / (VEHICLE.wheelbase_m + VEHICLE.understeer_rad_per_mps2 * v2)


@pytest.mark.parametrize("owner", [Function.ACC, Function.AEB, Function.APA, Function.FALLBACK])
def test_every_acceleration_at_every_speed(owner):
    """Settled output equals the request exactly inside the envelope; outside there is none."""
    for speed in np.arange(-5.0, 50.0, 2.5):
        low, high = -LIMITS.longitudinal.decel_max(speed), LIMITS.longitudinal.accel_max(speed)
        if owner is Function.AEB:
            low, high = -10.0, 0.0
        for asked in (*np.arange(-12.0, 6.0, 0.25), low, high, low * 1.019, low * 1.021, high * 1.019, high * 1.021):
            gate = Gate(LIMITS, VEHICLE)
            ego = EgoState(START, speed, accel_mps2=min(max(asked, low), high))
            proposal = Proposal(float(asked), longitudinal=owner, accel_stamp_ns=START)
            out = gate.step(START, proposal, ego, None, EVERYONE).command.accel_mps2
            if low * 1.02 <= asked <= high * 1.02:
                assert out == pytest.approx(min(max(asked, low), high), abs=1e-12)
            else:
                assert out is None


@pytest.mark.parametrize("owner", [Function.LKA, Function.APA, Function.FALLBACK])
def test_every_angle_at_every_speed(owner):
    for speed in np.arange(-5.0, 50.0, 2.5):
        limit = min(0.56, 3.0 / gain(speed))
        for share in (*np.arange(-1.5, 1.5, 0.05), 1.019, -1.019, 1.021, -1.021):
            asked = float(share * limit)
            ego = EgoState(START, speed, steering_rad=min(max(asked, -limit), limit))
            proposal = Proposal(None, asked, lateral=owner, steering_stamp_ns=START)
            out = Gate(LIMITS, VEHICLE).step(START, proposal, ego, None, EVERYONE).command.steering_rad
            if abs(share) <= 1.02:
                assert out == pytest.approx(min(max(asked, -limit), limit), abs=1e-12)
            else:
                assert out is None


@pytest.mark.parametrize("period_ms", [10, 20, 25, 50, 100])
def test_rates_per_cycle_and_per_250_ms(period_ms):
    """Whatever is asked for, the output moves by no more than the rate allows, at any cycle time."""
    for speed in (2.0, 10.0, 20.0, 40.0):
        jerk, angle_rate = LIMITS.longitudinal.jerk_max(speed), min(5.0 / gain(speed), 0.4)
        gate, outs = Gate(LIMITS, VEHICLE), []
        for i in range(120):
            now = START + i * period_ms * 1_000_000
            up = i // 40 % 2 == 0
            angle = (1.0 if up else -1.0) * 0.9 * min(0.56, 2.0 / gain(speed))
            asked = Proposal(2.0 if up else -3.0, angle, Function.ACC, Function.LKA, now, now)
            command = gate.step(now, asked, EgoState(now, speed), None, EVERYONE).command
            outs.append((now, command.accel_mps2, command.steering_rad))
        for k in range(1, len(outs)):
            dt = period_ms / 1000.0
            assert abs(outs[k][1] - outs[k - 1][1]) <= jerk * dt + 1e-9
            assert abs(outs[k][2] - outs[k - 1][2]) <= angle_rate * dt + 1e-9
        window = round(250 / period_ms)
        for k in range(window, len(outs)):
            assert abs(outs[k][1] - outs[k - window][1]) <= jerk * 0.25 + 1e-6
            assert abs(outs[k][2] - outs[k - window][2]) <= angle_rate * 0.25 + 1e-6
        assert outs[39][1] == 2.0 and outs[79][1] == -3.0 or period_ms < 50


def test_a_clock_that_crawls_and_jumps_does_not_beat_the_rate():
    """Cycles whose clock says 100 ms although 10 ms passed: after 250 ms of that clock the window holds."""
    gate, now = Gate(LIMITS, VEHICLE), START
    still = Proposal(0.0, longitudinal=Function.ACC, accel_stamp_ns=now)
    first = gate.step(now, still, EgoState(now, 30.0), None, EVERYONE)
    assert first.command.accel_mps2 == 0.0
    for jump_ms in (500, -500, 5_000, -5_000, 101):
        now += jump_ms * 1_000_000
        proposal = Proposal(2.0, 0.005, Function.ACC, Function.LKA, now, now)
        command = gate.step(now, proposal, EgoState(now, 30.0), None, EVERYONE).command
        assert command.accel_mps2 == 0.0, jump_ms
        assert command.steering_rad == 0.0, jump_ms


def test_a_clock_that_swings_does_not_beat_the_rate_per_250_ms():
    """Each forward swing of 100 ms allows one cycle's rate; no more than 250 ms' worth leaves in the same 100 ms."""
    gate, outs, angles = Gate(LIMITS, VEHICLE), [], []
    for i in range(41):
        now = START + (i % 2) * 100_000_000
        value = 0.0 if i == 0 else 2.0
        proposal = Proposal(value, 0.005 * value, Function.ACC, Function.LKA, now, now)
        command = gate.step(now, proposal, EgoState(now, 30.0), None, EVERYONE).command
        outs.append(command.accel_mps2)
        angles.append(command.steering_rad * gain(30.0))
    assert max(outs) == pytest.approx(2.5 * 0.25, abs=1e-6)
    assert max(angles) == pytest.approx(5.0 * 0.25, abs=1e-6)


def test_random_commands_never_leave_unsafe():
    """``GATE_COMMANDS=1000000 pytest --timeout=0 test/test_gate_sweep.py -k random`` runs the full million."""
    rng = np.random.default_rng(7)
    gate, now = Gate(LIMITS, VEHICLE), START
    numbers = rng.random((COUNT, 10))
    last_accel = last_angle = last_owner = None
    passed = 0
    for row in numbers:
        now += int((row[0] * 0.06 - (0.02 if row[0] > 0.99 else 0.0)) * 1e9)
        speed, measured = 60.0 * row[1] - 5.0, 14.0 * row[2] - 10.0
        wild = row[3] < 0.02
        accel = WILD[int(row[4] * len(WILD))] if wild else 17.0 * row[4] - 12.0
        angle = WILD[int(row[5] * len(WILD))] if wild else (2.4 * row[5] - 1.2) * min(0.56, 3.0 / gain(speed))
        owner, lateral = OWNERS[int(row[6] * len(OWNERS))], OWNERS[int(row[7] * len(OWNERS))]
        stamp = now - int(0.3 * row[8] * 1e9)
        ego = EgoState(now - int(0.21 * row[9] * 1e9), speed, measured, 0.0, 0.05 * row[2] - 0.02)
        if wild and row[6] < 0.1:
            ego = replace(ego, speed_mps=math.nan)
        driver = DriverInput(now, acc_set=row[2] < 0.3, lka_toggle=row[2] < 0.3, park_confirm=row[2] < 0.3)
        enabled = EVERYONE if row[9] < 0.9 else frozenset({Function.AEB})
        proposal = Proposal(accel, angle, owner, lateral, stamp, stamp, Gear.REVERSE, True)
        command = gate.step(now, proposal, ego, driver, enabled).command
        out, turned = command.accel_mps2, command.steering_rad
        passed += out is not None
        if out is not None:
            assert math.isfinite(out) and owner in enabled and owner in OWNERS[:4]
            assert now - stamp <= 250_000_000 and now - ego.stamp_ns <= 200_000_000
            if owner is Function.AEB:
                assert -10.0 <= out <= 0.0
            else:
                floor = -LIMITS.longitudinal.decel_max(speed)
                from_below = last_accel is not None and out >= last_accel - 1e-9
                assert out <= LIMITS.longitudinal.accel_max(speed) + 1e-9
                assert out >= floor - 1e-9 or from_below
                if last_accel is not None and last_owner is not Function.AEB:
                    assert out - last_accel <= 5.0 * 0.1 + 1e-9
        if turned is not None:
            assert math.isfinite(turned) and lateral in enabled
            assert lateral in (Function.LKA, Function.APA, Function.FALLBACK)
            assert abs(turned) * gain(speed) <= 3.0 + 1e-9 and abs(turned) <= 0.56
            assert last_angle is None or abs(turned - last_angle) <= 0.4 * 0.1 + 0.1 or abs(turned) < abs(last_angle)
        if command.gear is not None or command.hold:
            assert abs(speed) <= 0.1 and Function.APA in enabled
        last_accel, last_angle, last_owner = out, turned, owner
    assert passed > COUNT // 50, "the sweep tests what passes too"
