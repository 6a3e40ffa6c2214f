"""What comparing two networks takes of this machine's memory."""
