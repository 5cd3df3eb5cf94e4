"""The rolling archive: what is wanted, how it comes, how it goes, and that it is what it should."""
