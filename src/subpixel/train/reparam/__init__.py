"""Forms in which a network is trained and those in which it runs."""
