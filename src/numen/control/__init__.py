"""The slow doors: the control API, GraphQL, documentation, the console."""
