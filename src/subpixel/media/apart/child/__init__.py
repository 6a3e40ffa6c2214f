"""What runs as a decoder, and as the process that decoders are forked from."""
