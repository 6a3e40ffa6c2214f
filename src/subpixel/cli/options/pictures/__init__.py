"""Options of the commands for pictures."""
