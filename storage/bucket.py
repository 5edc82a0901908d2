"""Contents in a bucket of S3, or of anything that speaks like it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from storage.blobs import PIECE, Missing

_GONE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_AT_ONCE: Final = 1000  # names in one request to delete (S3's own limit)


class Bucket:
    """Contents under `prefix` in a bucket. Without keys, the machine's own are used (a role, or ~/.aws).

    The library is the extra `s3`, loaded at the first use.
    """

    def __init__(
        self, bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str, prefix: str = ""
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._how = {
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "aws_access_key_id": access_key or None,
            "aws_secret_access_key": secret_key or None,
        }
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def put(self, name: str, path: Path) -> None:
        client = await self._open()
        with path.open("rb") as file:
            await client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=file)

    async def read(self, name: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        from botocore.exceptions import ClientError

        client = await self._open()
        end = "" if size is None else start + size - 1
        part = {} if not start and size is None else {"Range": f"bytes={start}-{end}"}
        try:
            found = await client.get_object(Bucket=self._bucket, Key=self._prefix + name, **part)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _GONE:
                raise Missing(name) from None
            raise
        async with found["Body"] as body:
            while piece := await body.read(PIECE):
                yield piece

    async def drop(self, names: Iterable[str]) -> None:
        keys = [{"Key": self._prefix + name} for name in names]
        client = await self._open()
        for start in range(0, len(keys), _AT_ONCE):
            some = {"Objects": keys[start : start + _AT_ONCE], "Quiet": True}
            await client.delete_objects(Bucket=self._bucket, Delete=some)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _open(self) -> Any:
        if self._client is None:
            from aiobotocore.session import get_session

            self._client = await self._stack.enter_async_context(get_session().create_client("s3", **self._how))
        return self._client
