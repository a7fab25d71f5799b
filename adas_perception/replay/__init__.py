"""Recordings through the pipeline."""
