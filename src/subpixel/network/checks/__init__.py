"""Whether network files are what they say: facts against the graph, forms of one network."""
