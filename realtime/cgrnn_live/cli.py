"""The command `cgrnn-live`: options in, exit code out. Thin: each command calls one function of another module.

Modules are imported where they are used, so that `--help` stays quick.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from cgrnn_bundle import __version__
from cgrnn_bundle.errors import BundleError
from cgrnn_live import control_options as control
from cgrnn_live.bench_command import bench
from cgrnn_live.common_options import Api, Gibbs, High, Json, Low, Model, Scale, Seed, Temperature, sampling_of
from cgrnn_live.errors import UsageError
from cgrnn_live.jam_options import Bars, Bpm, ClockOut, Log, Mode, Offset, Patience, Sync, Trigger
from cgrnn_live.offline_commands import calibrate, demo, render, replay
from cgrnn_live.options import FrameLength, OptionError, number, parse_frame
from cgrnn_live.wave_command import audio

DONE, OUR_FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Set to 1 for numpy's linear algebra. Its threads are no quicker on a frame, wait for one another where a DAW has the
cores (a step of 0.5 ms then takes 0.2 s at times), and add in another order, so that a seed would not be the same."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def play(
    context: typer.Context,
    port: Annotated[str | None, typer.Option(metavar="NAME", help="The MIDI output to play into; see `ports`.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--input", metavar="NAME", help="The MIDI input to hear. A virtual one where the system can."),
    ] = None,
    mode: Mode = "free",
    patience: Patience = None,
    trigger: Trigger = None,
    sync: Sync = "internal",
    offset: Offset = 0.0,
    clock_out: ClockOut = False,
    prompt: Annotated[
        Path | None, typer.Option(metavar="FILE.mid", help="A phrase to play first and go on from.")
    ] = None,
    model: Model = None,
    bpm: Bpm = None,
    frame: Annotated[
        FrameLength | None,
        typer.Option(
            parser=parse_frame, metavar="SECONDS|1/8", help="How long a frame lasts: seconds or a note value."
        ),
    ] = None,
    temperature: Temperature = None,
    gibbs: Gibbs = None,
    low: Low = 0,
    high: High = 127,
    scale: Scale = None,
    chord: control.Chord = None,
    control_channel: control.ControlChannel = None,
    voices: control.Voices = 0,
    density: control.Density = 1.0,
    avoid: control.Avoid = 0,
    transpose: control.Transpose = 0,
    channel: control.Channel = 1,
    split: control.SplitAt = None,
    velocity: control.Velocity = control.UNIFORM,
    articulation: control.Articulation = "legato",
    pedal: control.Pedal = False,
    seed: Seed = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE.mid", help="Write what is played to this file.")] = None,
    log: Log = None,
    bars: Bars = 8,
    duration: Annotated[
        float | None,
        typer.Option(
            parser=number("--duration", 0.1, 1e6),
            metavar="SECONDS",
            help="End after this time. Until Ctrl-C if not given.",
        ),
    ] = None,
    api: Api = "auto",
    allow_echo: Annotated[
        bool, typer.Option("--allow-echo", help="Let input and output be the same loopback bus.")
    ] = False,
    as_json: Json = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A jam partner for your DAW: a model that improvises over MIDI in real time.

    Give a --port to play into, or a command. `cgrnn-live demo` needs no port.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    if version:
        print(__version__)
        return
    if port is None:
        raise OptionError(
            "Nothing to play into: give --port NAME (`cgrnn-live ports` lists them), or try `cgrnn-live demo`."
        )
    sampling = sampling_of(seed, model, temperature, gibbs, low, high, scale)
    settings = control.settings_of(
        low, high, scale, chord, voices=voices, density=density, avoid=avoid, transpose=transpose
    )
    control.check_trigger(trigger, passes_pedal=pedal)

    from cgrnn_live.session import play as play_session
    from cgrnn_live.setup import Setup

    setup = Setup(
        port=port,
        sampling=sampling,
        input=source,
        mode=mode,
        patience=patience,
        trigger=trigger,
        sync=sync,
        offset=offset,
        clock_out=clock_out,
        prompt=prompt,
        bpm=bpm,
        frame=frame,
        settings=settings,
        control_channel=control_channel,
        channel=channel,
        split=split,
        velocity=velocity,
        retriggers=articulation == "retrigger",
        pedal=pedal,
        record=record,
        log=log,
        bars=bars,
        duration=duration,
        api=api,
        allow_echo=allow_echo,
        is_quiet=as_json,
    )
    summary = play_session(setup)
    if as_json:
        _print_json(summary)


@app.command()
def ports(api: Api = "auto", as_json: Json = False) -> None:
    """List the MIDI ports."""
    from cgrnn_live.ports import choose_api, list_inputs, list_outputs

    chosen = choose_api(api)
    listing = {"api": chosen, "outputs": list_outputs(chosen), "inputs": list_inputs(chosen)}
    if as_json:
        _print_json(listing)
        return
    for title, names in (("Outputs, for --port", listing["outputs"]), ("Inputs, for --input", listing["inputs"])):
        print(f"{title} ({chosen}):")
        print("\n".join(f"  {name}" for name in names) if names else "  none; `cgrnn-live doctor` says how to make one")


@app.command()
def models(as_json: Json = False) -> None:
    """List the shipped models."""
    from cgrnn_live.loading import describe_models

    descriptions = describe_models()
    if as_json:
        _print_json({"models": descriptions})
        return
    for model in descriptions:
        print(
            f"{model['name']}: {model['hidden']} hidden, {model['state']} state, {model['frame_seconds']:g} s a frame"
        )
        print(f"  {model['data']} ({model['licence']})\n  {model['path']}")


@app.command()
def doctor(api: Api = "auto", as_json: Json = False) -> None:
    """Say what is wrong with MIDI, sound and models here, and the fix."""
    from cgrnn_live.doctor import examine

    findings = examine(api)
    if as_json:
        _print_json(
            {"ok": all(finding.is_good for finding in findings), "checks": [vars(finding) for finding in findings]}
        )
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.is_good else 'bad '} {finding.what}: {finding.found}")
            if finding.fix:
                print(f"     fix: {finding.fix}")
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(USAGE)


for command in (render, replay, demo, calibrate, audio, bench):
    app.command()(command)


def main() -> None:
    """Run the command; exit with 0 done, 1 a fault of ours, 2 what the caller can mend, or 130 interrupted."""
    if sys.stderr is None:  # closed by the caller, or never there (pythonw)
        sys.stderr = open(os.devnull, "w")  # for as long as the program runs
    interrupted: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
        signal.signal(signal.SIGINT, interrupt)
    for variable in ONE_THREAD:
        os.environ.setdefault(variable, "1")  # numpy, not imported yet, will read it
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else DONE)
    except (UsageError, BundleError) as error:
        _fail(str(error), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has gone; nor can the interpreter flush it on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OUR_FAULT)
    except Exception as error:
        if interrupted:  # in the midst of an import it comes out as an ImportError
            sys.exit(INTERRUPTED)
        if os.environ.get("CGRNN_DEBUG") == "1":
            raise
        if explain := getattr(error, "format_message", None):  # Typer's own; their class moved between its versions
            _fail(f"{explain()} Try --help.", USAGE)
        _fail(f"a fault of ours: {type(error).__name__}: {error} (CGRNN_DEBUG=1 shows where).", OUR_FAULT)


def _fail(message: str, code: int) -> None:
    print(f"cgrnn-live: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _refuse_options_before(context: typer.Context) -> None:
    """An option of ours before a command would be lost without a word."""
    for parameter in context.command.params:
        if context.params.get(parameter.name or "") != parameter.get_default(context):
            raise OptionError(
                f"{parameter.opts[0]} stands before {context.invoked_subcommand!r}; put the options after the command."
            )
