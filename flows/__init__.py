"""Prefect flows: each file one flow that reads as its graph."""
