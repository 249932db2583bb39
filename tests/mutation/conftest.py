"""Nothing here is a test: the scripts of this folder need mutmut, which only `make mutation` installs."""

collect_ignore_glob = ["*.py"]
