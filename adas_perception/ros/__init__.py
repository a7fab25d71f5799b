"""The ROS 2 shell: message conversion, nodes, the node table."""
