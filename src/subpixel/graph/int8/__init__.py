"""Networks that compute in 8-bit integers: calibration, rounding, assembly."""
