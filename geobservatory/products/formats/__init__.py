"""Formats of other programs: read, and written from what this project makes."""
