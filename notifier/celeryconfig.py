"""Celery's configuration from the environment, for the ``celery`` program: ``celery --app notifier.worker …``."""

from notifier.config import load_settings
from notifier.queues import celery_options

globals().update(celery_options(load_settings()))
