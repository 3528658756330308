"""How commands name accounts: by their number, which never changes; what people call one may."""

import re

import typer


def account_number(text: str) -> str:
    """The number of an account; anything else, its name above all, is a usage error that says where numbers are."""
    if re.fullmatch("[0-9]{12}", text) is None:
        raise typer.BadParameter("an account is named by its twelve digits; secretsctl account list shows them")
    return text


def any_account(text: str) -> str:
    """The same, or `system`, which is the operators'."""
    return text if text == "system" else account_number(text)
