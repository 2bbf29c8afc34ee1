"""Why a script was not performed."""


class NotPerformed(Exception):
    """Nothing can be said about isolation: the scripts could not be performed to their end, and nothing was judged."""
