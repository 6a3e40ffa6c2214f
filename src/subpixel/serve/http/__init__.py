"""What the server does with HTTP: requests read, answers written."""
