"""Why a model said what it said: attributions, as graphs, arrays and pictures."""
