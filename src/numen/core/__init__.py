"""What every room may know: errors, signatures, messages, bundles, plug-ins, settings."""
