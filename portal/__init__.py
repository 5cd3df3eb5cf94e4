"""What people and client programs see over HTTP."""
