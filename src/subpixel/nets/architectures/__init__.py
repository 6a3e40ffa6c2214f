"""Architectures, and how their checkpoints are recognised."""
