"""What happened: events, activation requests and the area of interest."""
