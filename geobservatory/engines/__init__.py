"""Who makes interferograms: programs behind one request and one folder of results."""
