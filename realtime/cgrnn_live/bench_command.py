"""The command `cgrnn-live bench`: options in, figures out."""

from __future__ import annotations

import json
import secrets

from cgrnn_live.common_options import Api, Gibbs, Json, Model, Seconds, Seed


def bench(
    seconds: Seconds = 10.0,
    model: Model = None,
    gibbs: Gibbs = None,
    seed: Seed = None,
    api: Api = "auto",
    as_json: Json = False,
) -> None:
    """Measure this machine: the model's step, deadlines kept, the way through the MIDI system."""
    from cgrnn_live.bench import lines, measure
    from cgrnn_live.loading import Sampling

    found = measure(Sampling(secrets.randbits(32) if seed is None else seed, model, gibbs=gibbs), seconds, api)
    print(json.dumps(found) if as_json else "\n".join(lines(found)), flush=True)
