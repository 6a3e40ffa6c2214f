"""Verbs for people with networks."""
