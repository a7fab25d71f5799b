"""The monitor: what is lost, what goes on, and how the driver gets it back."""

import math
from dataclasses import replace

import pytest

from adas_perception.limits import Limits
from adas_perception.params import ParameterError, Vehicle
from adas_perception.safety.arbitration import Reason
from adas_perception.safety.chain import SafetyChain
from adas_perception.safety.faults import NEEDS, Fault, FaultKind
from adas_perception.safety.heartbeats import Heartbeats
from adas_perception.safety.monitor import Mode, Monitor, MonitorParams
from adas_perception.types import DriverInput, EgoState, Function, FunctionState, Level, RadarTargets, Request

TICK_NS = 25_000_000
ALL_NODES = {node for nodes in NEEDS.values() for node in nodes}
SENSED = (Function.AEB, Function.ACC, Function.LKA)
IDLE = DriverInput(0)


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
        self.first_state, self.acc_state = "STANDBY", "ACTIVE"

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
                state = self.acc_state if Function.ACC in self.states else self.first_state
                self.states[Function.ACC] = FunctionState(Function.ACC, self.now, Level.OK, state, "NONE")
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


@pytest.mark.parametrize("side", ["rear_left", "rear_right"])
def test_one_silent_rear_radar_takes_the_blind_spot_warning_only(rig, side):
    def listen(seconds: float, sensors: tuple[str, ...]):
        output = None
        for _ in range(round(seconds / 0.05)):
            for sensor in sensors:
                rig.chain.take(rig.now, RadarTargets(rig.now, sensor))
            output = rig.run(0.05)
        return output

    assert listen(1.5, ("rear_left", "rear_right")).mode is Mode.NORMAL
    other = ({"rear_left", "rear_right"} - {side}).pop()
    output = listen(0.3, (other,))
    assert output.allowed == set(NEEDS) - {Function.BSD}
    assert output.reason == "rear radars: no samples arrive"
    assert listen(2.0, ("rear_left", "rear_right")).mode is Mode.NORMAL


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


@pytest.mark.parametrize(("state", "allowed"), [("ACTIVE", False), ("HOLD", False), ("STANDBY", True)])
def test_a_monitor_that_was_started_again_does_not_set_a_running_acc_in_motion(state, allowed):
    rig = Rig()
    rig.first_state = rig.acc_state = state
    output = rig.run(2.0, accel=1.0)
    assert (Function.ACC in output.allowed) is allowed
    assert allowed or output.command.accel_mps2 is None
    rig.acc_state = "STANDBY"
    rig.run(0.05)
    rig.acc_state = "ACTIVE"
    assert rig.run(0.05).command.longitudinal is Function.ACC


def test_a_parking_manoeuvre_is_not_taken_up_by_a_new_monitor():
    monitor, now = Monitor(MonitorParams(), Limits()), 10_000_000_000
    states = {Function.APA: FunctionState(Function.APA, now, Level.OK, "MANOEUVRING", "NONE")}
    for _ in range(60):
        now += TICK_NS
        requests = {f: Request(f, now) for f in SENSED}
        verdict = monitor.step(
            now, requests, states, EgoState(now, 1.0), DriverInput(now), dict.fromkeys(ALL_NODES, now)
        )
    assert verdict.allowed == set(NEEDS) - {Function.APA}


def test_emergency_braking_is_taken_up_by_a_new_monitor():
    monitor, now = Monitor(MonitorParams(), Limits()), 10_000_000_000
    states = {Function.AEB: FunctionState(Function.AEB, now, Level.ERROR, "FULL", "THREAT")}
    for _ in range(60):
        now += TICK_NS
        requests = {f: Request(f, now) for f in SENSED}
        verdict = monitor.step(
            now, requests, states, EgoState(now, 20.0), DriverInput(now), dict.fromkeys(ALL_NODES, now)
        )
    assert Function.AEB in verdict.allowed


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


# --- what the checks beside the monitor find ---


def test_a_sample_that_may_not_be_used_is_turned_away_by_the_chain(rig):
    assert rig.chain.take(rig.now, EgoState(rig.now, speed_mps=20.0))
    assert not rig.chain.take(rig.now, EgoState(rig.now, speed_mps=20.0)), "twice the same stamp"


def test_a_doubtful_vehicle_state_silences_everything_and_calls_the_driver(rig):
    for i in range(40):
        wrong = EgoState(rig.now, speed_mps=20.0, accel_mps2=-5.0)
        rig.chain.take(rig.now, replace(wrong, stamp_ns=rig.now))
        output = rig.run(0.025, dead=("vehicle",)) if i < 6 else rig.run(0.025)
    assert FaultKind.SPEED_DOUBTFUL in {f.kind for f in output.faults}
    assert (output.mode, output.takeover) == (Mode.DISENGAGED, True)
    assert output.command.accel_mps2 is None and output.owners == (Reason.NO_REQUEST, Reason.NO_REQUEST)


def test_a_wild_request_locks_its_function_and_brings_the_fallback(rig):
    rig.run(0.025, accel=math.nan)
    output = rig.run(0.1)
    assert Fault(FaultKind.REQUEST_REFUSED, "acc") in output.faults
    assert (output.mode, output.command.longitudinal) == (Mode.FALLBACK, Function.FALLBACK)
    rig.acc_state = "STANDBY"
    rig.run(0.1, brake=0.2)
    assert Function.ACC not in rig.run(3.0).allowed
    rig.run(0.1, acc_set=True)
    assert Function.ACC in rig.run(1.2).allowed


def test_a_brake_that_disobeys_calls_the_driver_and_leaves_emergency_braking(rig):
    for _ in range(30):
        output = rig.run(0.025, accel=-3.0)
        rig.ego = replace(rig.ego, accel_mps2=0.0)
        rig.now += TICK_NS
        rig.ego = replace(rig.ego, stamp_ns=rig.now)
        rig.heartbeats = dict.fromkeys(ALL_NODES, rig.now)
        rig.requests = {f: replace(r, stamp_ns=rig.now) for f, r in rig.requests.items()}
        output = rig.chain.step(rig.now, rig.requests, rig.states, rig.ego, DriverInput(rig.now), rig.heartbeats)
    assert FaultKind.BRAKE_DISOBEYS in {f.kind for f in output.faults}
    assert output.takeover and Function.AEB in output.allowed


def test_the_reasons_of_both_axes_are_told(rig):
    assert rig.run(0.1).owners == (Reason.CRUISE, Reason.NO_REQUEST)
    assert rig.run(0.1, brake=0.3).owners == (Reason.DRIVER_PEDALS, Reason.NO_REQUEST)


def test_an_overload_sheds_comfort_only(rig):
    for _ in range(4):
        rig.now += 75_000_000
        output = rig.run(0.025)
    assert [f.kind for f in output.faults] == [FaultKind.OVERLOAD]
    assert output.allowed == {Function.AEB, Function.ACC, Function.LKA}
    assert (output.mode, output.command.longitudinal) == (Mode.DEGRADED, Function.ACC)


# --- boundaries of the monitor itself ---


def monitor_step(monitor, now, *, acc="ACTIVE", accel=0.5, ego_age_ms=0, driver=IDLE, found=(), beats=None):
    requests = {f: Request(f, now, accel if f is Function.ACC else None) for f in SENSED}
    states = {Function.ACC: FunctionState(Function.ACC, now, Level.OK, acc, "NONE")}
    ego = EgoState(now - ego_age_ms * 1_000_000, 20.0)
    pressed = replace(driver, stamp_ns=now) if driver else None
    beats = dict.fromkeys(ALL_NODES, now) if beats is None else beats
    return monitor.step(now, requests, states, ego, pressed, beats, found)


def ready(**params) -> tuple[Monitor, int]:
    monitor, now = Monitor(MonitorParams(**params), Limits()), 10_000_000_000
    monitor_step(monitor, now, acc="STANDBY")
    for _ in range(60):
        now += TICK_NS
        monitor_step(monitor, now)
    return monitor, now


@pytest.mark.parametrize(("age_ms", "silent"), [(250, False), (251, True), (-1, True)])
def test_the_age_of_a_heartbeat(age_ms, silent):
    monitor, now = ready()
    beats = {**dict.fromkeys(ALL_NODES, now), "bsd": now - age_ms * 1_000_000}
    faults = monitor_step(monitor, now, beats=beats).faults
    assert faults == ((Fault(FaultKind.NODE_SILENT, "bsd"),) if silent else ())


def test_a_node_that_was_never_heard_is_silent():
    monitor, now = ready()
    assert [f.subject for f in monitor_step(monitor, now, beats={}).faults] == sorted(ALL_NODES)
    monitor, now = ready(bus=False)
    assert [f.subject for f in monitor_step(monitor, now, beats={}).faults] == sorted(ALL_NODES - {"can_bridge"})


@pytest.mark.parametrize(("age_ms", "stale"), [(250, False), (251, True)])
@pytest.mark.parametrize("function", SENSED)
def test_the_age_of_a_request(function, age_ms, stale):
    monitor, now = ready()
    requests = {f: Request(f, now) for f in SENSED}
    requests[function] = Request(function, now - age_ms * 1_000_000)
    verdict = monitor.step(now, requests, {}, EgoState(now), DriverInput(now), dict.fromkeys(ALL_NODES, now))
    assert verdict.faults == ((Fault(FaultKind.STALE_REQUEST, function.value),) if stale else ())
    assert (function in verdict.allowed) is not stale


@pytest.mark.parametrize(("recovery_s", "after_ms", "back"), [(1.0, 999, False), (1.0, 1000, True), (0.2, 200, True)])
def test_a_lost_function_returns_after_its_recovery_time(recovery_s, after_ms, back):
    monitor, now = ready(recovery_s=recovery_s)
    lost = (Fault(FaultKind.INPUT_SILENT, "lanes"),)
    assert Function.LKA not in monitor_step(monitor, now, found=lost).allowed
    monitor_step(monitor, now + 1_000_000)
    verdict = monitor_step(monitor, now + 1_000_000 + after_ms * 1_000_000)
    assert (Function.LKA in verdict.allowed) is back


@pytest.mark.parametrize(("ago_ms", "fallback"), [(500, True), (501, False)])
def test_for_half_a_second_a_function_that_let_go_counts_as_engaged(ago_ms, fallback):
    monitor, now = ready()
    lost = (Fault(FaultKind.INPUT_SILENT, "front radar"),)
    later = now + ago_ms * 1_000_000
    verdict = monitor_step(monitor, later, acc="STANDBY", found=lost)
    assert (verdict.mode is Mode.FALLBACK) is fallback
    assert verdict.takeover is fallback


def test_a_driver_who_has_taken_over_is_not_followed_by_a_fallback():
    monitor, now = ready()
    monitor_step(monitor, now + TICK_NS, acc="STANDBY", driver=DriverInput(0, brake=0.5))
    lost = (Fault(FaultKind.INPUT_SILENT, "front radar"),)
    assert monitor_step(monitor, now + 2 * TICK_NS, acc="STANDBY", found=lost).mode is Mode.DEGRADED


@pytest.mark.parametrize(
    ("accel", "asked"),
    [(0.5, -2.0), (-1.0, -2.0), (-3.0, -3.0), (-9.0, -3.5), (math.nan, -2.0), (-math.inf, -2.0), (None, -2.0)],
)
def test_how_hard_the_fallback_brakes(accel, asked):
    monitor, now = ready()
    states = {Function.AEB: FunctionState(Function.AEB, now, Level.ERROR, "FULL", "THREAT")}
    requests = {f: Request(f, now, accel if f is Function.ACC else None) for f in SENSED}
    beats = dict.fromkeys(ALL_NODES, now)
    monitor.step(now, requests, states, EgoState(now, 30.0), DriverInput(now), beats)
    found = (Fault(FaultKind.STALE_REQUEST, "aeb"),)
    verdict = monitor.step(now, requests, states, EgoState(now, 30.0), DriverInput(now), beats, found)
    assert verdict.fallback == Request(Function.FALLBACK, now, asked)


def test_a_lost_acc_gives_the_fallback_nothing_to_go_by():
    monitor, now = ready()
    found = (Fault(FaultKind.STALE_REQUEST, "acc"),)
    verdict = monitor_step(monitor, now, accel=-3.4, found=found)
    assert verdict.fallback == Request(Function.FALLBACK, now, -2.0)


@pytest.mark.parametrize(("state", "engaged"), [("MANOEUVRING", True), ("PAUSED", True), ("SEARCH", False)])
def test_losing_the_parking_manoeuvre_stops_the_car(state, engaged):
    monitor, now = ready()
    states = {Function.APA: FunctionState(Function.APA, now, Level.OK, state, "NONE")}
    requests = {f: Request(f, now) for f in SENSED}
    arguments = (requests, states, EgoState(now, 1.0), DriverInput(now), dict.fromkeys(ALL_NODES, now))
    monitor.step(now, *arguments)
    verdict = monitor.step(now, *arguments, (Fault(FaultKind.INPUT_SILENT, "ultrasonic"),))
    assert (verdict.mode is Mode.FALLBACK) is engaged


@pytest.mark.parametrize(("age_ms", "mode"), [(200, Mode.NORMAL), (201, Mode.DISENGAGED)])
def test_the_age_of_the_vehicle_state(age_ms, mode):
    monitor, now = ready()
    verdict = monitor_step(monitor, now, ego_age_ms=age_ms)
    assert verdict.mode is mode
    assert (verdict.allowed == frozenset()) is (mode is Mode.DISENGAGED)


def test_functions_recover_whatever_else_is_lost():
    monitor, now = Monitor(MonitorParams(), Limits()), 10_000_000_000
    lost = (Fault(FaultKind.STALE_REQUEST, "aeb"),)
    monitor_step(monitor, now, acc="STANDBY")
    for tick in range(60):
        verdict = monitor_step(monitor, now + tick * TICK_NS, found=lost)
    assert verdict.allowed == set(NEEDS) - {Function.AEB}


def test_without_the_driver_only_emergency_braking_is_left():
    monitor, now = ready()
    verdict = monitor_step(monitor, now, driver=None)
    assert verdict.faults == (Fault(FaultKind.NO_DRIVER_INPUT, "driver"),)
    assert verdict.allowed == {Function.AEB}


def test_faults_and_outputs_read_as_one_line(rig):
    assert rig.run(0.1).reason == "ok"
    assert str(Fault(FaultKind.NODE_SILENT, "acc")) == "acc: node is silent"
    wild = rig.run(0.025, accel=math.nan)
    assert wild.reason == "the acceleration request is not a finite number"
    assert rig.run(0.3, dead=("bsd",)).reason.startswith("bsd: node is silent; acc: the gate has refused")


@pytest.mark.parametrize(("field", "low", "high"), [("recovery_s", 0.0, 60.0), ("fallback_decel_mps2", 0.5, 4.0)])
def test_the_ranges_of_the_policy(field, low, high):
    for value in (low, high):
        assert getattr(MonitorParams(**{field: value}), field) == value
    for value in (low - 0.01, high + 0.01):
        with pytest.raises(ParameterError, match=field):
            MonitorParams(**{field: value})


# --- a node that was started again --------------------------------------------------------------------------


def test_a_node_is_heard_as_long_as_it_is_the_same():
    heartbeats = Heartbeats()
    assert not heartbeats.take(1, "acc", "first")
    assert not heartbeats.take(2, "acc", "first")
    assert not heartbeats.take(3, "aeb", "other")
    assert heartbeats.heard_ns == {"acc": 2, "aeb": 3}


def test_a_node_that_was_started_again_is_silent_until_its_second_heartbeat():
    heartbeats = Heartbeats()
    heartbeats.take(1, "acc", "first")
    heartbeats.take(1, "aeb", "other")
    assert heartbeats.take(2, "acc", "second")
    assert heartbeats.heard_ns == {"aeb": 1}
    assert not heartbeats.take(3, "acc", "second")
    assert heartbeats.heard_ns == {"acc": 3, "aeb": 1}
    assert heartbeats.take(4, "acc", "third")


def test_a_restart_faster_than_any_silence_is_a_loss_while_engaged(rig):
    """Cruise control that comes back within 0.1 s no longer holds the speed, and the driver must hear of it."""
    heartbeats = Heartbeats()
    for node in ALL_NODES:
        heartbeats.take(rig.now, node, "first")
    assert heartbeats.take(rig.now, "acc", "second")
    at_once = rig.chain.step(rig.now, rig.requests, rig.states, rig.ego, rig.driver, heartbeats.heard_ns)
    assert Fault(FaultKind.NODE_SILENT, "acc") in at_once.faults
    rig.acc_state = "STANDBY"
    later = rig.run(0.5)
    assert (at_once.mode, later.mode) == (Mode.FALLBACK, Mode.FALLBACK)
    assert later.takeover and later.owners[0] is Reason.MINIMAL_RISK
