"""Files become a Dataset: named, typed batches, the same every time."""
