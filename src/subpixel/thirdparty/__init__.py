"""Third-party networks: what form they have, which convention they follow, and their adoption."""
