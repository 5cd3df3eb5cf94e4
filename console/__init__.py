"""The `geobs` command and what `geobs up` keeps running."""
