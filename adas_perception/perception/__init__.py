"""From sensor samples to lanes, objects and echoes; no ROS."""
