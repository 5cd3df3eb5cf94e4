"""What comes out: maps as rasters, pictures and metadata."""
