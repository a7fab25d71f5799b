# Simulation, scorecard and replay without ROS on the host:
#   docker build -f tools/deploy/x86.Dockerfile -t adas . && docker run --rm -v "$PWD/out:/adas/out" adas make demo
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake git libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /adas
COPY . .
RUN make env
CMD ["make", "test"]
