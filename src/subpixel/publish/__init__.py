"""Makers of files that are judged before they are published."""
