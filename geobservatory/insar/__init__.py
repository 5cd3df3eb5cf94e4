"""How an interferogram is made: geometry, coregistration, phase, unwrapping, geocoding."""
