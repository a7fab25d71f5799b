"""Safety: arbitration, monitor, gate: pure functions of time and data, no ROS."""
