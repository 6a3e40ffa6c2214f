"""ICC profiles: what their header says. Source: ICC.1:2022, 7.2."""


def fits_colours(profile: bytes, *, grey: bool) -> bool:
    """Whether a profile is whole and for grey, or else RGB, samples."""
    whole = profile[36:40] == b"acsp" and int.from_bytes(profile[:4]) == len(profile)
    return whole and profile[16:20] == (b"GRAY" if grey else b"RGB ")
