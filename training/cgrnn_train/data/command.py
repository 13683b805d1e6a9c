"""The command `cgrnn-train prepare`: one function a source, each of them thin."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cgrnn_bundle.frames import FrameSpec, Rule
from cgrnn_bundle.waves import MAX_ORDER, ORDER
from cgrnn_train.data.errors import DataError

app = typer.Typer(help="Turn music into a data set of piano rolls or of sound.", no_args_is_help=True)

Midi = Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="A folder (at any depth) or a zip of MIDI files.")]
Sounds = Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="A folder (at any depth) or a zip of sound files.")]
Out = Annotated[
    Path, typer.Argument(metavar="OUT", help="The data set's folder; a data set that is there already is replaced.")
]
Frame = Annotated[float, typer.Option(metavar="SECONDS", help="Length of a frame in seconds.")]
RuleName = Annotated[
    str,
    typer.Option(
        metavar="half|cover",
        help="A pitch is on in a frame if a note starts there or sounds for half of it; or for any part of it.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the split into train, valid and test.")]
SoundSeed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Seed of the split, the effects and their parameters.")
]
Order = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_ORDER,
        metavar="N",
        help="Samples that a linear prediction looks back, whose residual is a frame; 0: a frame is the samples.",
    ),
]
Workers = Annotated[int, typer.Option(min=0, metavar="N", help="Processes that read files; 0: one a core.")]
Source = Annotated[str, typer.Option(metavar="TEXT", help="Name of the collection; by default the file's.")]
Json = Annotated[bool, typer.Option("--json", help="Print the data set's meta as one JSON object.")]


@app.command()
def midi(
    folder: Midi,
    out: Out,
    frame: Frame = 0.25,
    rule: RuleName = "half",
    grid: Annotated[
        bool, typer.Option("--grid", help="Lay frames on the beat: the note value nearest --frame.")
    ] = False,
    seed: Seed = 0,
    workers: Workers = 0,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Licence of the music.")] = "unknown",
    source: Source = "",
    as_json: Json = False,
) -> None:
    """Any MIDI files: each is one piece, split 0.9/0.05/0.05 by file."""
    from cgrnn_train.data.midi import prepare_midi

    spec = _spec(frame, rule)
    meta = prepare_midi(
        folder, out, spec, on_grid=grid, seed=seed, workers=workers or _cores(), licence=licence, description=source
    )
    _tell(out, meta, as_json)


@app.command()
def lakh(
    folder: Midi,
    out: Out,
    rule: RuleName = "half",
    seed: Seed = 0,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Lakh clean_midi, Artist/Title.mid: one-minute segments of 0.25 s frames, split 0.9/0.05/0.05 by artist."""
    from cgrnn_train.data.lakh import prepare_lakh

    spec = _spec(0.25, rule)
    meta = prepare_lakh(folder, out, rule=spec.rule, seed=seed, workers=workers or _cores())
    _tell(out, meta, as_json)


@app.command()
def polyphonic(
    file: Annotated[Path, typer.Argument(metavar="FILE.mat", help="One of the four benchmark sets as MATLAB file.")],
    out: Out,
    as_json: Json = False,
) -> None:
    """JSB Chorales, MuseData, Nottingham or Piano-midi.de (Boulanger-Lewandowski et al., 2012), standard split."""
    from cgrnn_train.data.polyphonic import prepare_polyphonic

    _tell(out, prepare_polyphonic(file, out), as_json)


@app.command()
def chorales(
    out: Out,
    note_value: Annotated[str, typer.Option(metavar="1/4|1/8", help="What a frame is.")] = "1/8",
    rule: RuleName = "half",
    seed: Seed = 0,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Bach's chorales from the corpus that music21 brings, split 0.9/0.05/0.05 by chorale."""
    from cgrnn_train.data.chorales import prepare_chorales

    spec = _spec(0.25, rule)
    _tell(
        out,
        prepare_chorales(out, note_value=note_value, rule=spec.rule, seed=seed, workers=workers or _cores()),
        as_json,
    )


@app.command()
def notes(
    folder: Sounds,
    out: Out,
    effects: Annotated[
        int,
        typer.Option(
            min=0,
            max=10,
            metavar="N",
            help="Effects a note, drawn from the ten, beside the clean note; all ten take 0.1 s of a core.",
        ),
    ] = 10,
    order: Order = ORDER,
    seed: SoundSeed = 0,
    workers: Workers = 0,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Licence of the notes.")] = "unknown",
    source: Source = "",
    as_json: Json = False,
) -> None:
    """Recorded notes, clean and with effects: 2 s at 11,025 Hz, split 0.9/0.05/0.05 by pitch in each instrument."""
    from cgrnn_train.data.notes import prepare_notes

    meta = prepare_notes(
        folder,
        out,
        effects=effects,
        order=order,
        seed=seed,
        workers=workers or _cores(),
        licence=licence,
        description=source,
    )
    _tell(out, meta, as_json)


@app.command()
def audio_effects(
    folder: Sounds,
    out: Out,
    order: Order = ORDER,
    seed: Seed = 0,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """IDMT-SMT-Audio-Effects: 2 s at 11,025 Hz, split 0.9/0.05/0.05 by pitch and setting."""
    from cgrnn_train.data.audio_effects import prepare_audio_effects

    _tell(out, prepare_audio_effects(folder, out, order=order, seed=seed, workers=workers or _cores()), as_json)


def _spec(frame_seconds: float, rule: str) -> FrameSpec:
    """Return the frame of the options; DataError on nonsense."""
    try:
        return FrameSpec(frame_seconds, cast(Rule, rule))
    except ValueError as error:
        raise DataError(str(error)) from error


def _cores() -> int:
    return os.cpu_count() or 1


def _tell(out: Path, meta: dict[str, Any], as_json: bool) -> None:
    """Say on standard error what was written; with --json, print the meta on standard output."""
    sizes = ", ".join(f"{split} {each['pieces']}/{each['frames']}" for split, each in meta["counts"].items())
    print(f"{out}: {meta['source']}, split {meta['split_rule']}; pieces/frames: {sizes}", file=sys.stderr)
    if skipped := meta.get("files", {}).get("skipped"):
        print(f"{skipped} of {meta['files']['files']} files skipped, see {out / 'report.md'}", file=sys.stderr)
    if as_json:
        print(json.dumps(meta, ensure_ascii=False))
