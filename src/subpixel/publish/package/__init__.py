"""A network packed for a platform, with a program that runs it and the proof that it is right."""
