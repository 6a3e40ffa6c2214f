"""Honest files from a seed: networks, written in other ways, with facts that are so.

What ``verify`` says against one of them is a false alarm.
"""
