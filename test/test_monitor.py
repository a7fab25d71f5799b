"""The monitor: what is lost, what goes on, and how the driver gets it back."""

from dataclasses import replace

import pytest

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.chain import SafetyChain
from adas_perception.safety.faults import NEEDS, FaultKind
from adas_perception.safety.monitor import Mode, MonitorParams
from adas_perception.types import DriverInput, EgoState, Function, FunctionState, Level, Request

TICK_NS = 25_000_000
ALL_NODES = {node for nodes in NEEDS.values() for node in nodes}
SENSED = (Function.AEB, Function.ACC, Function.LKA)


class Rig:
    """Runs the safety chain tick by tick; what is named in ``dead`` keeps its last sign of life."""

    def __init__(self) -> None:
        self.chain = SafetyChain(MonitorParams(), Limits(), Vehicle())
        self.now = 10_000_000_000
        self.heartbeats: dict[str, int] = {}
        self.requests: dict[Function, Request] = {}
        self.states: dict[Function, FunctionState] = {}
        self.ego = EgoState(self.now, speed_mps=20.0)
        self.driver = DriverInput(self.now)
        self.acc_state = "ACTIVE"

    def run(self, seconds: float, dead: tuple[object, ...] = (), accel: float | None = 0.5, **driver):
        output = None
        for _ in range(round(seconds * 1e9 / TICK_NS)):
            self.now += TICK_NS
            for node in ALL_NODES - set(dead):
                self.heartbeats[node] = self.now
            for function in (f for f in SENSED if f not in dead):
                value = accel if function is Function.ACC else None
                self.requests[function] = Request(function, self.now, accel_mps2=value)
            if Function.ACC not in dead:
                self.states[Function.ACC] = FunctionState(
                    Function.ACC, self.now, Level.OK, self.acc_state, "NONE"
                )
            if "vehicle" not in dead:
                obeyed = output.command.accel_mps2 if output else self.ego.accel_mps2
                self.ego = replace(self.ego, stamp_ns=self.now, accel_mps2=obeyed or 0.0)
                self.driver = DriverInput(self.now, **driver)
            output = self.chain.step(
                self.now, self.requests, self.states, self.ego, self.driver, self.heartbeats
            )
        return output


@pytest.fixture
def rig() -> Rig:
    running = Rig()
    assert running.run(2.0).mode is Mode.NORMAL
    return running


def test_nothing_is_allowed_before_it_was_healthy_for_the_recovery_time():
    rig = Rig()
    assert rig.run(0.9).allowed == frozenset()
    assert rig.run(0.2).allowed == frozenset(NEEDS)


@pytest.mark.parametrize("node", sorted(ALL_NODES))
def test_a_silent_node_is_named_within_300_ms(rig, node):
    output = rig.run(0.3, dead=(node,))
    assert [f.subject for f in output.faults] == [node]
    assert output.allowed == frozenset(f for f, nodes in NEEDS.items() if node not in nodes)
    assert node in output.reason


def test_losing_lane_keeping_leaves_cruise_control_running(rig):
    output = rig.run(0.5, dead=("lka", Function.LKA))
    assert output.mode is Mode.DEGRADED
    assert output.command.longitudinal is Function.ACC


def test_losing_the_objects_behind_acc_brings_the_car_to_a_gentle_stop(rig):
    output = rig.run(2.0, dead=(Function.ACC,))
    assert output.mode is Mode.FALLBACK
    assert output.command.longitudinal is Function.FALLBACK
    assert output.command.accel_mps2 == pytest.approx(-2.0)


def test_the_function_may_notice_the_loss_before_the_monitor(rig):
    rig.acc_state = "STANDBY"
    rig.run(0.1, dead=("radar",))
    assert rig.run(0.3, dead=("radar",)).mode is Mode.FALLBACK


def test_no_fallback_when_acc_was_not_engaged(rig):
    rig.acc_state = "STANDBY"
    rig.run(1.0)
    assert rig.run(1.0, dead=(Function.ACC,)).mode is Mode.DEGRADED


@pytest.mark.parametrize(
    "action", [{"brake": 0.2}, {"accelerator": 0.2}, {"steering_torque_nm": 4.0}, {"acc_cancel": True}]
)
def test_only_the_driver_ends_the_fallback(rig, action):
    rig.run(1.0, dead=("fusion", Function.ACC))
    assert rig.run(3.0).mode is Mode.FALLBACK
    rig.acc_state = "STANDBY"
    rig.run(0.05, **action)
    assert rig.run(2.0).mode is Mode.NORMAL


def test_a_function_lost_while_engaged_does_not_restart_into_active(rig):
    rig.run(0.5, dead=("acc", Function.ACC))
    rig.run(0.05, brake=0.2)
    output = rig.run(3.0)
    assert Function.ACC not in output.allowed
    rig.acc_state = "STANDBY"
    assert Function.ACC in rig.run(0.1).allowed


def test_without_vehicle_state_nothing_is_asked_for(rig):
    output = rig.run(0.5, dead=("vehicle",))
    assert output.mode is Mode.DISENGAGED
    assert output.allowed == frozenset()
    assert (output.command.accel_mps2, output.command.steering_rad) == (None, None)
    assert FaultKind.NO_VEHICLE_STATE in {f.kind for f in output.faults}


def test_time_that_jumps_back_neither_hides_a_dead_node_nor_locks_out_for_ever(rig):
    rig.now -= 60_000_000_000
    at_the_jump = rig.chain.step(rig.now, rig.requests, rig.states, rig.ego, rig.driver, rig.heartbeats)
    assert at_the_jump.mode is Mode.DISENGAGED
    output = rig.run(3.0, dead=("apa",))
    assert [f.subject for f in output.faults] == ["apa"]
    assert Function.LKA in output.allowed


def test_emergency_braking_outlives_the_driver_message(rig):
    rig.requests[Function.AEB] = Request(Function.AEB, rig.now, accel_mps2=-9.0)
    for _ in range(40):
        rig.now += TICK_NS
        rig.heartbeats = dict.fromkeys(ALL_NODES, rig.now)
        rig.ego = replace(rig.ego, stamp_ns=rig.now)
        rig.requests = {f: replace(r, stamp_ns=rig.now) for f, r in rig.requests.items()}
        braking = DriverInput(rig.driver.stamp_ns, brake=0.5)
        output = rig.chain.step(rig.now, rig.requests, rig.states, rig.ego, braking, rig.heartbeats)
    assert FaultKind.NO_DRIVER_INPUT in {f.kind for f in output.faults}
    assert (output.command.longitudinal, output.command.accel_mps2) == (Function.AEB, -9.0)


def test_the_fallback_never_brakes_less_than_acc_asks(rig):
    rig.states[Function.AEB] = FunctionState(Function.AEB, rig.now, Level.ERROR, "PARTIAL", "THREAT")
    rig.run(0.2, accel=-3.4)
    output = rig.run(3.0, dead=("aeb", Function.AEB), accel=-3.4)
    assert output.mode is Mode.FALLBACK
    assert output.command.accel_mps2 == pytest.approx(-3.4)


def test_the_fallback_outlives_a_gap_of_the_vehicle_state(rig):
    rig.run(1.0, dead=("fusion", Function.ACC))
    gap = rig.run(0.3, dead=("vehicle", "fusion", Function.ACC))
    assert (gap.mode, gap.takeover, gap.command.accel_mps2) == (Mode.DISENGAGED, True, None)
    assert rig.run(0.5, dead=("fusion", Function.ACC)).mode is Mode.FALLBACK


def test_a_replay_needs_no_bus():
    rig = Rig()
    rig.chain = SafetyChain(MonitorParams(bus=False), Limits(), Vehicle())
    assert rig.run(2.0, dead=("can_bridge",)).mode is Mode.NORMAL
