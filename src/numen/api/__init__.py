"""The verbs of the Python API: train, publish, load, promote, roll back.

Only here do the rooms of the slow road meet: data, trainers, bundles, runtimes, the registry.
A verb's module is imported when it is used, so that serving needs no training packages.
"""
