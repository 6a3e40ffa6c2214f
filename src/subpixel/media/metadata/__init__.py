"""What a picture carries beside its pixels."""
