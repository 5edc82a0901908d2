"""Every table, by noun. Importing this package fills `storage.base.metadata`."""

from storage.models import (
    accounts,
    audit,
    bots,
    businesses,
    calendar,
    calls,
    channel_log,
    conversations,
    customers,
    files,
    inbox,
    jobs,
    sign_in,
    tenants,
    webhooks,
    work,
)

__all__ = [
    "accounts",
    "audit",
    "bots",
    "businesses",
    "calendar",
    "calls",
    "channel_log",
    "conversations",
    "customers",
    "files",
    "inbox",
    "jobs",
    "sign_in",
    "tenants",
    "webhooks",
    "work",
]
