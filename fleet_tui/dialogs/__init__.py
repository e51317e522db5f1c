"""Dialogs over a view: plans to be confirmed, choices to be made."""
