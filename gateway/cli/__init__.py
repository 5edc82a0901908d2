"""The command line. Everything heavy is imported inside the commands, so that `frontdesk --help` answers at once."""


def main() -> None:
    """The command `frontdesk`."""
    from gateway.cli.app import app

    app()
