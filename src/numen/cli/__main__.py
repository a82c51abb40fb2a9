"""`python -m numen.cli`."""

from numen.cli import main

main()
