"""What people get by e-mail about signing in."""

from desk.invitations import Invitation
from desk.sign_in import Account
from gateway.outside.mail import Letter

# A link's secret stands behind the hash: browsers send that part to no server, so it is in nobody's log.


def reset_link(public_url: str, token: str) -> str:
    return f"{public_url}/set-password#{token}"


def invitation_link(public_url: str, token: str) -> str:
    return f"{public_url}/accept-invitation#{token}"


def reset(whose: Account, link: str) -> Letter:
    return Letter(
        whose.email,
        "Your new password for Frontdesk",
        f"Hello {whose.full_name},\n\n"
        f"Somebody, probably you, wants a new password for {whose.tenant_name}. Choose one here within an hour:\n\n"
        f"  {link}\n\n"
        "If it was not you, leave this letter be: your password stays as it is.\n",
    )


def welcome(whose: Account, link: str) -> Letter:
    return Letter(
        whose.email,
        f"Welcome to {whose.tenant_name}",
        f"Hello {whose.full_name},\n\n"
        f"You can sign in to the front desk of {whose.tenant_name} now. Choose your password here within seven days:\n\n"
        f"  {link}\n\n"
        f"Your name there is {whose.email}.\n",
    )


def changed(whose: Account) -> Letter:
    return Letter(
        whose.email,
        "Your password was changed",
        f"Hello {whose.full_name},\n\n"
        f"your password for {whose.tenant_name} was changed just now, and every other device was signed out.\n\n"
        "If it was not you, ask for a new password at once and tell whoever manages your front desk.\n",
    )


def invitation(one: Invitation, link: str) -> Letter:
    hello = f"Hello {one.full_name}," if one.full_name else "Hello,"
    return Letter(
        one.email,
        f"{one.tenant_name} invites you to its front desk",
        f"{hello}\n\n"
        f"{one.tenant_name} would like you at its front desk. Join within seven days:\n\n"
        f"  {link}\n\n"
        "If you expected nothing of the kind, leave this letter be.\n",
    )
