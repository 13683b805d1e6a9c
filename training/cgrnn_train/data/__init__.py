"""Data sources, one file each, and the packed frames they are turned into."""
