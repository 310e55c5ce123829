"""What a user can get wrong."""


class UserError(Exception):
    """One or two lines that name the cause and the remedy. Shown without a traceback; the exit code is 1."""
