"""Where the data is: one connector a kind of hub, a search over all of them, the choice of one."""
