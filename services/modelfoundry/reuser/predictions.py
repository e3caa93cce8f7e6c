"""Joins what predictions need, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch

from modelfoundry.client import Client
from modelfoundry.reuser.predicting.batching import Batching, Turns
from modelfoundry.reuser.predicting.predictor import Predictor
from modelfoundry.reuser.predicting.serving import ServedNetworks
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.reuser.subjects import LoadedSubject, load_subject, without_dead_channels
from modelfoundry.workbench.resources import Resources, Subject


@asynccontextmanager
async def predicting(settings: ReuserSettings, client: Client) -> AsyncIterator[Predictor]:
    """A predictor in the running event loop.

    Args:
        settings: How much is kept and how requests are joined.
        client: Access to the registry for threads.
    """
    cache = settings.cache

    def load(subject: Subject) -> LoadedSubject:
        return without_dead_channels(load_subject(Resources(client), cache, subject))

    batching = Batching(
        settings.batch_images, settings.batch_milliseconds / 1000, settings.batch_wait_milliseconds / 1000
    )
    turns = Turns(settings.predictions_at_a_time)
    threads = max(1, torch.get_num_threads() // settings.predictions_at_a_time)
    networks = ServedNetworks(load, settings.loaded_bytes, threads, turns, batching)
    try:
        yield Predictor(networks, settings.waiting_bytes)
    finally:
        networks.close()
        turns.close()
