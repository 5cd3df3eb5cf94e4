"""What is remembered: tables, queries and migrations (PostgreSQL)."""
