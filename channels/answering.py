"""What a vendor answers, as far as anybody wants to read it."""

import aiohttp


async def read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body, and of a longer one a byte more than `most_bytes`, so that it makes no sense to whoever goes on.

    Raises: aiohttp.ClientError, TimeoutError
    """
    pieces, left = [], most_bytes + 1
    async for piece in response.content.iter_chunked(65_536):
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if left <= 0:
            break
    return b"".join(pieces)
