"""geObservatory: from an earthquake alert to a map of how the ground moved."""
