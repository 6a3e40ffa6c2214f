"""What is looked up in a film before the work: its header, its times, whether all is there."""
