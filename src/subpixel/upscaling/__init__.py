"""Pictures through a network, in bounded memory."""
