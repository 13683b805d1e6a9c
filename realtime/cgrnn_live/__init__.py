"""The instrument: ports, clock, engine, sampler. No torch, ever."""
