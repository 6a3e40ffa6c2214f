"""One job on many machines: places that all of them reach, its units, who hands them out."""
