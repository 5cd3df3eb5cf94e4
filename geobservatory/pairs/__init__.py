"""Which images: passes of tracks, pairs about events, and when the satellites come again."""
