"""The journal of a long job: what it is made of, what is finished, who is at what."""
