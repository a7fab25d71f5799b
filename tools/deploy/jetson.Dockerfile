# For JetPack 6 (L4T R36). On the Jetson, with the NVIDIA container runtime:
#   docker build -f tools/deploy/jetson.Dockerfile -t adas .
#   docker run --rm --runtime nvidia --network host -v adas_cache:/root/.cache adas
# BASE is an L4T image that has ROS 2 and JetPack's TensorRT; for JetPack 7 name one of its own and ROS_DISTRO=jazzy.
# This file was never built on a Jetson: run `adas check` in the container first.
ARG BASE=dustynv/ros:humble-ros-base-l4t-r36.2.0
FROM ${BASE}
ARG ROS_DISTRO=humble
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 ROS_DISTRO=${ROS_DISTRO}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/adas
COPY . src/adas_perception
RUN apt-get update && rosdep update --rosdistro ${ROS_DISTRO} \
    && for setup in /opt/ros/${ROS_DISTRO}/{install/,}setup.bash; do [ -e $setup ] && source $setup; done \
    && rosdep install -y --from-paths src --ignore-src \
    && colcon build \
    && rm -rf /var/lib/apt/lists/*
CMD ["bash", "-c", "source install/setup.bash && adas engine prebuild && exec ros2 launch adas_perception jetson.launch.py"]
