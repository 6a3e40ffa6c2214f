"""The server: pictures and tensors over HTTP; ``app.py`` has its routes."""
