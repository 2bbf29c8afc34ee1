"""The brain of the lab: reads experiments, decides, judges; on this machine or on a cluster."""
