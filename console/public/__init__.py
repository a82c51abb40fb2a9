"""The console as built: a page and its assets. Its source is `console/` in the repository."""
