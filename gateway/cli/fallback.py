"""`frontdesk voice-fallback`: what callers hear while nothing of ours runs."""

from pathlib import Path

import typer

from bots import language as languages
from channels.voice import codec
from gateway.cli.settings import load
from gateway.voice import door
from gateway.voice.speech import phrase

_LEFT = "voicemail-left.xml"


def write(config: Path | None, folder: Path, language: str = "en") -> None:
    """Write the two documents into `folder`, in that language.

    Raises: typer.BadParameter
    """
    if language not in languages.known():
        raise typer.BadParameter(f"--language is one of {', '.join(languages.known())}")
    settings = load(config)
    base = settings.server.public_url + door.PATH
    left = codec.goodbye(phrase(language, "voice_left"), language=codec.locale(language))
    documents = {"voicemail.xml": door.sorry(base, settings.voice, language=language, left=_LEFT), _LEFT: left}
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_bytes(document.body)
    typer.echo(
        f"Written: {', '.join(documents)}. Serve them as text/xml from a place that does not need this machine, and give the "
        "address of voicemail.xml to Twilio as the number's fallback (GET)."
    )
