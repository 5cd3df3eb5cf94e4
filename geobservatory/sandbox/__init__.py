"""A small world to practise in: terrain, earthquakes, simulated acquisitions, hub servers."""
