"""Faulty files by the hundred, from a seed: what the proof is attacked with.

``hosts`` are small honest networks; a fault is a change to a host's graph (``changes``), in force
always or where a condition holds (``conditions``), or one of ``mutants``, ``lengths`` and
``facts``. ``kinds`` lists them all and ``generator`` draws from them. ``oracle`` judges, without
the package's own comparison, whether a fault changes a picture.
"""
