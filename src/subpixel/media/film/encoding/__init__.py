"""The film that is made: codecs, segments of packets, and the file with all streams."""
