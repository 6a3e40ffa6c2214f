"""The server, pictures and tensors over HTTP (``app.py`` has its routes), and the web page, in
which everything happens on the visitor's machine."""
