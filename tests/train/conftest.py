"""Small networks are compiled more often than they run here, so XLA should not try hard."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
