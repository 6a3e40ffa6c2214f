"""Benchmark sets, comparison sheets, facts about this machine."""
