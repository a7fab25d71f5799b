"""CARLA's side of the wire, without ROS: signs and frames, the motion of the car, its pedals, its rangers."""
