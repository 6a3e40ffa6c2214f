"""PNG: chunks before and after the pixels."""
