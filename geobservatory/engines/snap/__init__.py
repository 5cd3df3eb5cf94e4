"""ESA SNAP as an engine: graphs for its `gpt`, what is known of its operators, how it is run."""
