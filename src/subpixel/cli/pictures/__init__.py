"""Verbs for people with pictures."""
