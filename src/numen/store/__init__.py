"""Where state lives: a Catalog of names and versions, and Blobs of bytes."""
