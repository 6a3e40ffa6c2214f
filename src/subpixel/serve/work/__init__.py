"""What the server does, in functions that know nothing of HTTP."""
