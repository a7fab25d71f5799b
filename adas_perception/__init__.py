"""Driver assistance for ROS 2: perception, ACC, AEB, LKA, BSD, APA, a safety gate and a CAN bridge."""

__version__ = "0.1.0"
