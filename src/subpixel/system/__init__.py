"""This machine: files written whole, caches, processors, installed packages."""
