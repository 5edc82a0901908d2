"""Secrets at rest open only where they belong."""

import pytest

from storage.seal import SealBroken, Sealer

TOKEN = {"auth_tokens": ["new", "old"]}


def test_what_is_sealed_opens_again_and_does_not_show() -> None:
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal(TOKEN, tenant_id=1, field="accounts.credentials")
    assert "auth_tokens" not in sealed
    assert sealer.unseal(sealed, tenant_id=1, field="accounts.credentials") == TOKEN


@pytest.mark.parametrize(("tenant_id", "field"), [(2, "accounts.credentials"), (1, "accounts.other")])
def test_a_seal_does_not_open_elsewhere(tenant_id: int, field: str) -> None:
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal(TOKEN, tenant_id=1, field="accounts.credentials")
    with pytest.raises(SealBroken):
        sealer.unseal(sealed, tenant_id=tenant_id, field=field)


def test_keys_rotate() -> None:
    old, both, new = Sealer(b"old" * 11), Sealer(b"new" * 11, b"old" * 11), Sealer(b"new" * 11)
    sealed = old.seal("x", tenant_id=1, field="f")
    assert both.unseal(sealed, tenant_id=1, field="f") == "x"
    with pytest.raises(SealBroken):
        new.unseal(sealed, tenant_id=1, field="f")
    assert new.unseal(both.rotate(sealed), tenant_id=1, field="f") == "x"


@pytest.mark.parametrize("broken", ["", "x", "gAAAA", "é"])
def test_what_is_damaged_says_so(broken: str) -> None:
    with pytest.raises(SealBroken):
        Sealer(b"k" * 32).unseal(broken, tenant_id=1, field="f")
