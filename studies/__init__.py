"""Studies: experiments on what the theory promises, each rerun with one command, ``python -m studies.NAME``."""
