"""Settings: one model, from a TOML file and `GEOBS_*` variables over it."""
