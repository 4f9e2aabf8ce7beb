"""Asking a mailbox: how long what somebody asked for waits for its owner's yes, and how many mails ask for it."""

from datetime import timedelta

REQUEST_LIVES = timedelta(days=7)
"""How long the link in a mail that asks works."""
MAILS_PER_REQUEST = 3
MAILS_PER_MAILBOX_AND_DAY = 10
MAILS_PER_READER_AND_DAY = 6
"""To mailboxes that one reader names, together."""
