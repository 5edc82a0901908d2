"""Rooms inside. Their names begin with the tenant, and no client ever gives one: what clients say is looked up first."""


def inbox(tenant_id: int) -> str:
    """Everybody of the tenant who may read conversations."""
    return f"t{tenant_id}:inbox"


def conversation(tenant_id: int, conversation_id: int) -> str:
    return f"t{tenant_id}:conversation:{conversation_id}"


def team(tenant_id: int, team_id: int) -> str:
    return f"t{tenant_id}:team:{team_id}"


def user(tenant_id: int, user_id: int) -> str:
    return f"t{tenant_id}:user:{user_id}"


def told(conversation_uid: str) -> str:
    """What the outside calls a conversation's room."""
    return f"conversation_{conversation_uid}"
