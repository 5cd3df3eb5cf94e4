"""The languages that hubs are asked in, read into one form."""
