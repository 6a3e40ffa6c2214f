"""Untrusted pictures, decoded in processes of their own."""
