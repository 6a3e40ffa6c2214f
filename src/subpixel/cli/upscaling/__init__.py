"""What ``subpixel upscale`` does, once its options are read: here, or on a cluster."""
