"""A simulated car, road, traffic and sensors, for the demo, tests and scorecard."""
