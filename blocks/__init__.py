"""Prefect blocks: the accounts and places an operator may keep in the Prefect UI."""
