"""Prefect tasks: thin; they call the library, retry, cache and record."""
