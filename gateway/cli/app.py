"""Which commands there are, with their words; what they do is in the neighbouring files."""

from pathlib import Path
from typing import Annotated

import typer

from gateway import collector

app = typer.Typer(
    name="frontdesk",
    help="The front desk for service businesses: customers book by text, people take over when it matters.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
scenario_app = typer.Typer(help="Look into scenarios: check, test, draw or play them.", no_args_is_help=True)
config_app = typer.Typer(help="Look into the settings.", no_args_is_help=True)
app.add_typer(scenario_app, name="scenario")
app.add_typer(config_app, name="config")

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="FRONTDESK_CONFIG", help="The page of settings.", show_default="./config.yaml"),
]
Files = Annotated[list[Path], typer.Argument(help="Scenarios, as YAML or JSON.", show_default=False)]
File = Annotated[Path, typer.Argument(help="A scenario, as YAML or JSON.", show_default=False)]


@app.command()
def run(config: Config = None) -> None:
    """Start everything in one process: the server, the jobs and, in the demo, a simulated phone network."""
    collector.pause()
    from gateway.cli import run as runs

    runs.run(config)


@app.command()
def serve(config: Config = None) -> None:
    """Start the HTTP server alone; jobs are left to `frontdesk worker`."""
    collector.pause()
    from gateway.cli import run as runs

    runs.serve(config)


@app.command()
def worker(config: Config = None) -> None:
    """Do jobs alone: what is to be sent, reminders, everything that falls due."""
    collector.pause()
    from gateway.cli import run as runs

    runs.work(config)


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the database to this version's tables."""
    from gateway.cli import database

    database.migrate(config)


@app.command()
def seed(config: Config = None) -> None:
    """Put the demo business into the database; the second time changes nothing."""
    from gateway.cli import database

    database.seed(config)


@app.command()
def chat(
    config: Config = None,
    number: Annotated[
        str | None,
        typer.Option("--as", metavar="NUMBER", help="Be the customer with this number.", show_default=False),
    ] = None,
) -> None:
    """Talk to the bot as a customer, here in the terminal."""
    from gateway.cli import chat as chats

    chats.chat(config, number)


@app.command()
def call(
    config: Config = None,
    number: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NUMBER", help="Call from this number; without, it is withheld.", show_default=False
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write what the telephone plays into this WAV file; -: play it.", show_default=False
        ),
    ] = None,
) -> None:
    """Call the business, here in the terminal: what is said is shown, and you type what you say or press."""
    from gateway.cli import call as calls

    calls.call(config, number, listen)


@app.command("voice-fallback")
def voice_fallback(
    folder: Annotated[Path, typer.Argument(help="Where to write the documents.", show_default=False)],
    config: Config = None,
    language: Annotated[str, typer.Option(help="What callers hear it in: en, de, es, fr or pt.")] = "en",
) -> None:
    """Write what callers hear while nothing of ours runs: documents that take a message, for a server that always does."""
    from gateway.cli import fallback

    fallback.write(config, folder, language)


@app.command()
def doctor(config: Config = None) -> None:
    """Look over the installation and say what to do about what is wrong."""
    from gateway.cli import doctor as doctors

    doctors.doctor(config)


@app.command()
def channels() -> None:
    """Print what each channel does, as docs/channels.md has it."""
    from gateway.cli import channels as cards

    cards.show()


@config_app.command("check")
def check_config(config: Config = None) -> None:
    """Show the settings in force, secrets hidden, or what is wrong with them."""
    from gateway.cli import settings

    settings.check(config)


@scenario_app.command("check")
def check_scenarios(files: Files) -> None:
    """List what is wrong with scenarios, line by line."""
    from gateway.cli import scenario

    scenario.check(files)


@scenario_app.command("test")
def test_scenarios(files: Files) -> None:
    """Play the tests that scenarios bring along, with the bot's real understanding."""
    from gateway.cli import scenario

    scenario.test(files)


@scenario_app.command("draw")
def draw_scenario(
    file: File,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write it to.", show_default=False)
    ] = None,
) -> None:
    """Draw a scenario as a Mermaid state diagram."""
    from gateway.cli import scenario

    scenario.draw(file, output)


@scenario_app.command("simulate")
def simulate_scenario(file: File) -> None:
    """Play a scenario turn by turn; nothing is booked, sent or stored."""
    from gateway.cli import scenario

    scenario.simulate(file)
