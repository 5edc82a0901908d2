"""Contents in a bucket of S3, or of anything that speaks like it."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from storage.blobs import PAGE, PIECE, Missing, Unavailable

_GONE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_AT_ONCE: Final = 1000  # names in one request to delete (S3's own limit)
_CONNECT_S: Final = 5
_READ_S: Final = 30

# What somebody has to set right, by S3's codes (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
_WHY: Final[Mapping[str, str]] = {
    "NoSuchBucket": "There is no bucket of that name (s3.bucket).",
    "InvalidBucketName": "There can be no bucket of that name (s3.bucket).",
    "PermanentRedirect": "The bucket is in another region (s3.region).",
    "AuthorizationHeaderMalformed": "The bucket is in another region (s3.region).",
    "AccessDenied": "The bucket refuses us: the key may not do this.",
    "403": "The bucket refuses us: the key may not do this.",
    "InvalidAccessKeyId": "The bucket does not know this key (s3.access_key).",
    "SignatureDoesNotMatch": "The bucket refuses our signature (s3.secret_key).",
    "RequestTimeTooSkewed": "The clock of this machine is wrong.",
    "SlowDown": "The bucket asks us to slow down.",
}


class Bucket:
    """Contents under `prefix` in a bucket. Without keys, the machine's own are used (a role, or ~/.aws).

    The library is the extra `s3`, loaded at the first use. It tries each request `tries` times at most, with short waits.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str,
        region: str,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        tries: int = 3,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._tries = tries
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
        with path.open("rb") as file, _told():
            await client.put_object(**self._at(name), Body=file)

    async def read(self, name: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        client = await self._open()
        end = "" if size is None else start + size - 1
        part = {} if not start and size is None else {"Range": f"bytes={start}-{end}"}
        with _told(name):
            found = await client.get_object(**self._at(name), **part)
            async with found["Body"] as body:
                while piece := await body.read(PIECE):
                    yield piece

    async def drop(self, names: Iterable[str]) -> None:
        keys = [{"Key": self._prefix + name} for name in names]
        client = await self._open()
        for start in range(0, len(keys), _AT_ONCE):
            some = {"Objects": keys[start : start + _AT_ONCE], "Quiet": True}
            with _told():
                answer = await client.delete_objects(Bucket=self._bucket, Delete=some)
            for error in answer.get("Errors", ()):  # of single names, while the request as a whole was answered 200
                raise Unavailable(_why(error.get("Code", "")))

    async def has(self, name: str) -> bool:
        client = await self._open()
        try:
            with _told(name):
                await client.head_object(**self._at(name))
        except Missing:
            return False
        return True

    async def move(self, name: str, to: str) -> None:
        client = await self._open()
        with contextlib.suppress(Missing), _told(name):
            await client.copy_object(**self._at(to), CopySource={"Bucket": self._bucket, "Key": self._prefix + name})
            await client.delete_object(**self._at(name))

    async def older(self, than: datetime, *, after: str = "") -> AsyncIterator[list[str]]:
        client = await self._open()
        listed = {"Bucket": self._bucket, "Prefix": self._prefix, "MaxKeys": PAGE}
        more = {"StartAfter": self._prefix + after} if after else {}
        while True:
            with _told():
                answer = await client.list_objects_v2(**listed, **more)
            old = [one["Key"] for one in answer.get("Contents", ()) if one["LastModified"] < than]
            if old:
                yield [key.removeprefix(self._prefix) for key in old]
            if not answer.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    async def close(self) -> None:
        await self._stack.aclose()

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    async def _open(self) -> Any:
        if self._client is None:
            from aiobotocore.config import AioConfig
            from aiobotocore.session import get_session

            retries = {"mode": "standard", "total_max_attempts": self._tries}
            config = AioConfig(retries=retries, connect_timeout=_CONNECT_S, read_timeout=_READ_S)
            self._client = await self._stack.enter_async_context(
                get_session().create_client("s3", config=config, **self._how)
            )
        return self._client


@contextlib.contextmanager
def _told(name: str = "") -> Iterator[None]:
    """The trouble of S3 in words of ours; that `name` is not there is none of it.

    Raises: Missing, Unavailable
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if name and code in _GONE:
            raise Missing(name) from None
        raise Unavailable(_why(code)) from None
    except (BotoCoreError, HTTPClientError, aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"The bucket does not answer ({type(error).__name__}).") from None


def _why(code: str) -> str:
    return _WHY.get(code, f"The bucket answers with {code[:40] or 'nothing that we understand'}.")
