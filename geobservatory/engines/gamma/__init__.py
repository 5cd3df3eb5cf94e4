"""GAMMA as an engine: the sequence of its commands, what is known of them, how they are run."""
