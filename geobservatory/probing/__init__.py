"""How well hubs do: probes, statistics, scores, objectives, incidents, the status page."""
