"""Where repositories live: an address becomes a repository, and a ref becomes a commit.

One module per kind of host, ``git`` for any of them and ``github`` for GitHub; what they share
lies beside them.  Importing this package loads no provider.
"""
