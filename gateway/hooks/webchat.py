"""Web chat over plain HTTP: a message in, replies out, and what was said since.

The widget makes up an unguessable session id and keeps it; whoever has it is that visitor.
"""

import orjson
from aiohttp import web

from channels.base import Request
from channels.errors import BadRequest
from channels.messages import InboundMessage, OutboundMessage
from desk import conversations, messages
from gateway.errors import problem
from gateway.hooks.routes import RECEIVER
from storage.base import Db
from storage.store import StoreUnavailable
