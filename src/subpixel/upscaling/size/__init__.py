"""What size a picture gets, and the networks and filter that bring it there."""
