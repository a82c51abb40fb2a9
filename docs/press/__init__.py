"""Makes the site from the pages of docs/ and the reference from the code.

    python -m press            # in docs/: builds it into site/, any warning is an error
    python -m press serve      # the same, shows it on this machine, builds again after a change

The pages are plain Markdown that reads as well on a repository's web page; nothing in them is for
the site alone.
"""
