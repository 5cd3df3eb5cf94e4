"""Speed of each part; `python -m benchmarks.NAME --help`."""
