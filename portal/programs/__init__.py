"""One catalogue over all hubs, in the protocols that client programs speak."""
