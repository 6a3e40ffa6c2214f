"""Films: what they are, their frames, and the film that is made of them.

The one room that knows PyAV, which is the extra ``video``.
"""
