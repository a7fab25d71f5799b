"""The driver-assistance functions: ACC, AEB, LKA, BSD, APA; pure decisions, no ROS."""
