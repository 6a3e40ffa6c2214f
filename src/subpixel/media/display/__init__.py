"""A picture as a screen shows it."""
