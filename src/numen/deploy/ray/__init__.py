"""Models on a Ray cluster: replicas of numen's own server, placed, watched and scaled there.

`target` renders and applies, `plan` is what was rendered, `supervisor` keeps it true on the
cluster, `replica` is one server on one node, `scale` says how many there shall be.
"""
