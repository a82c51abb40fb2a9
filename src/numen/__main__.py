"""`python -m numen` is the `numen` command."""

from numen.cli import main

main()
