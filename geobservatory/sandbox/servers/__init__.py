"""Hubs, orbits, heights and earthquake news on loopback, with the faults of the real ones."""
