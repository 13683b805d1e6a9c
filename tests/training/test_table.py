"""The results page: a whole page by a golden file, its order, what it refuses, and nothing of this machine in it.

After a change that is meant: `GOLDEN=write pytest tests/training/test_table.py`, and read the difference.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.origin import ORIGIN, save_origin
from cgrnn_train.results import read_result, run_name, without_machine_paths
from cgrnn_train.rmse import SquaredError, rmse
from cgrnn_train.run import RunError, save_config, save_data
from cgrnn_train.scores import Accuracy, Check, Estimate, Likelihood, Rmse, Scores, read_scores, write_scores
from cgrnn_train.systems import SYSTEMS
from cgrnn_train.table import PROTOCOLS, SOUND_PROTOCOLS, write_table
from cgrnn_train.words import compared, duration, sign

GOLDEN = Path(__file__).with_name("results.golden.md")
GOLDEN_SOUND = Path(__file__).with_name("results.sound.golden.md")

JSB = "JSB_Chorales, Boulanger-Lewandowski et al., ICML 2012"
PIANO = "Piano_midi, Boulanger-Lewandowski et al., ICML 2012"
NOTES = "Notes of an open sampler, 3,500 clips"
LAKH = "a 9 % subset of Lakh clean_midi (1622 files)"
EXACT = "exact"
AIS = "AIS, 1,000 temperatures x 64 chains (errs high)"
BOUND, ELBO = "importance-weighted bound, 100 draws (errs low)", "ELBO, 1 draw (errs low)"


def around(value: float, spread: float) -> tuple[float, float]:
    return value - spread, value + spread


def accuracy(share: float) -> Accuracy:
    return Accuracy(Estimate(share, around(share, 0.02)), Estimate(share + 0.01, around(share + 0.01, 0.02)))


def error(value: float) -> Rmse:
    """An RMSE of ``value`` over three sequences that are not alike."""
    return rmse([SquaredError(147, 147 * value**2 * share) for share in (1.2, 0.9, 0.9)])


def likelihood(value: float, kind: str) -> Likelihood:
    is_ais = kind == AIS
    sums, lengths = (tuple(600 * value * share for share in (1.2, 0.9, 0.9)), (600, 600, 600)) if is_ais else ((), ())
    error, share = (0.0012, 0.62) if is_ais else (None, None)
    return Likelihood(value, around(value, 0.25), kind, error, share, sums, lengths)


def make_run(folder: Path, system: str, mode: str = "full", transpose: int = 0) -> Path:
    architecture = SYSTEMS[system]
    model = architecture.config(**architecture.fixed, **({"mode": mode} if system == "cgrnn" else {}))
    config = RunConfig(system, model, FitConfig(transpose=transpose))
    save_config(folder, config, f"cgrnn-train fit --out runs/{folder.name} --data /home/me/data/set")
    (folder / "model.safetensors").touch()
    return folder


def make_scored(
    folder: Path, source: str, value: float, kind: str, system: str, mode: str = "full", split: str = "test"
) -> Path:
    make_run(folder, system, mode, transpose=5 if system == "cgrnn" else 0)
    has_latent = not system.startswith("rnn-1")
    scores = Scores(
        system=system,
        source=source,
        split=split,
        frames=4725,
        weights=hashlib.sha256(b"").hexdigest(),
        data="the set's",
        log_likelihood=likelihood(value, kind),
        trained_bound=likelihood(value - 0.5, ELBO) if kind == BOUND else None,
        check=Check(200, value, value - 0.012, value - 0.003, value - 0.02, 0.004, "samples") if kind == AIS else None,
        prediction=accuracy(0.25),
        reconstruction=accuracy(0.85) if has_latent else None,
        command=f"cgrnn-train evaluate {folder} --chains 64",
        seconds=60.0,
    )
    write_scores(folder, scores)
    return folder


def record_fit(run: Path, seconds: float = 3900.0) -> Path:
    record = {
        "parameters": 1234567,
        "training_seconds": seconds,
        "epochs": 200,
        "device": "cpu, 1 thread",
        "validation_log_likelihood": -6.09,
    }
    (run / "fit.json").write_text(json.dumps(record), encoding="utf-8")
    return run


def make_of_sound(folder: Path, system: str, value: float, kind: str, rmses: tuple[float, float | None]) -> Path:
    """A run over frames of 150 samples, scored under both protocols."""
    make_scored(folder, NOTES, value, kind, system)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["model"] |= {"kind": "continuous", "visible": 150}
    config["fit"]["transpose"] = 0
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    prediction, reconstruction = (None if one is None else error(one) for one in rmses)
    assert prediction is not None
    scores = dataclasses.replace(
        read_scores(folder, "test"), frames=441, prediction=prediction, reconstruction=reconstruction
    )
    write_scores(folder, scores)
    return folder


@pytest.fixture
def sound_runs(tmp_path: Path) -> list[Path]:
    notes = tmp_path / "notes"
    unscored = make_run(notes / "srnn-s", "srnn-s")
    make_scored(unscored, NOTES, 250.0, BOUND, "srnn-s", split="valid")
    config = RunConfig("srnn-s", SYSTEMS["srnn-s"].config(kind="continuous", visible=150), FitConfig())
    save_config(unscored, config, "cgrnn-train fit --out runs/srnn-s --data /home/me/data/set")
    return [
        make_of_sound(notes / "cgrnn", "cgrnn", 400.0, AIS, (4.0, 0.75)),
        make_of_sound(notes / "rnn-ssrbm", "rnn-ssrbm", 300.0, AIS, (4.5, 1.5)),
        make_of_sound(notes / "vrnn", "vrnn", 320.0, BOUND, (4.25, 2.25)),
        record_fit(make_of_sound(notes / "rnn-1", "rnn-1", 295.125, EXACT, (5.0, None)), 840.0),
        unscored,
    ]


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    jsb, lakh = tmp_path / "jsb", tmp_path / "lakh"
    unscored = make_run(jsb / "rnn-2", "rnn-2")
    make_scored(unscored, JSB, -8.0, EXACT, "rnn-2", split="valid")  # which set it is of, this says
    limited = make_scored(jsb / "storn", JSB, -7.0, BOUND, "storn")
    path = limited / "scores" / "test.json"
    path.write_text(path.read_text(encoding="utf-8").replace("4725", "500"), encoding="utf-8")
    return [
        make_scored(tmp_path / "chorales" / "cgrnn", "Bach chorales, corpus of music21 9.1", -3.0, AIS, "cgrnn"),
        make_scored(lakh / "cgrnn", LAKH, -5.5, AIS, "cgrnn"),
        make_scored(lakh / "cgrnn-s", LAKH, -5.75, AIS, "cgrnn", "S"),
        record_fit(make_scored(lakh / "rnn-1", LAKH, -7.25, EXACT, "rnn-1"), 840.0),
        make_scored(tmp_path / "piano" / "rnn-rbm", PIANO, -7.0, AIS, "rnn-rbm"),
        record_fit(make_scored(jsb / "cgrnn", JSB, -6.04, AIS, "cgrnn")),
        make_scored(jsb / "cgrnn-d", JSB, -6.5, AIS, "cgrnn", "D"),
        make_scored(jsb / "rnn-1", JSB, -8.125, EXACT, "rnn-1"),
        make_scored(jsb / "rnn-rbm", JSB, -6.29, AIS, "rnn-rbm"),
        limited,
        unscored,
        make_run(tmp_path / "loose" / "vrnn", "vrnn"),
    ]


@pytest.mark.parametrize(("fixture", "golden"), [("runs", GOLDEN), ("sound_runs", GOLDEN_SOUND)])
def test_the_page_is_the_golden_one(fixture, golden, request, tmp_path):
    out = tmp_path / "docs" / "results.md"
    write_table(request.getfixturevalue(fixture), out)
    if os.environ.get("GOLDEN") == "write":
        golden.write_bytes(out.read_bytes())
    assert out.read_text(encoding="utf-8") == golden.read_text(encoding="utf-8")
    assert [path.name for path in out.parent.iterdir()] == ["results.md"]


def test_the_order_of_the_runs_does_not_matter_and_none_is_shown_twice(runs, tmp_path):
    write_table(runs, tmp_path / "docs" / "results.md")
    write_table([*reversed(runs), runs[0]], tmp_path / "other" / "docs" / "results.md")
    assert (tmp_path / "docs" / "results.md").read_bytes() == (tmp_path / "other/docs/results.md").read_bytes()


def test_nothing_of_this_machine_is_on_the_page(runs, tmp_path):
    write_table(runs, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert str(tmp_path) not in page
    assert "/home/me" not in page
    assert "--data …/data/set" in page


def test_every_table_is_rectangular(runs, sound_runs, tmp_path):
    write_table([*runs, *sound_runs], tmp_path / "page.md")
    blocks = (tmp_path / "page.md").read_text(encoding="utf-8").split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 10  # six sections, two with published figures, two with the paper's
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1, table[0]


def test_ours_are_of_the_stand_in_and_never_of_idmt(sound_runs, tmp_path):
    write_table(sound_runs, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"Ours are of a stand-in, {NOTES}, and never of IDMT's sounds" in page
    path = sound_runs[0] / "scores" / "test.json"
    text = path.read_text(encoding="utf-8")
    for source in ("IDMT-SMT-Audio-Effects (55044 files)", "part of IDMT-SMT-Audio-Effects (20592 files)"):
        path.write_text(text.replace(NOTES, source), encoding="utf-8")
        write_table(sound_runs[:1], tmp_path / "page.md")
        page = (tmp_path / "page.md").read_text(encoding="utf-8")
        assert f"ours are on {source}:" in page
        assert "stand-in" not in page


def test_ratios_are_of_one_protocol_and_of_the_same_frames(sound_runs, tmp_path):
    write_table(sound_runs, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    ours = "RMSE of CGRNN `notes/cgrnn` over that of our"
    paper = "the paper's, of reconstruction: 0.50 /"
    ssrbm = "prediction 0.89 (0.89 to 0.89), reconstruction 0.50 (0.50 to 0.50)"
    assert f"- {ours} RNN-ssRBM `notes/rnn-ssrbm`: {ssrbm}; {paper} 1.71 = 0.29.\n" in page
    vrnn = "prediction 0.94 (0.94 to 0.94), reconstruction 0.33 (0.33 to 0.33)"
    assert f"- {ours} VRNN `notes/vrnn`: {vrnn}; {paper} 1.80 = 0.28.\n" in page
    path = sound_runs[1] / "scores" / "test.json"
    path.write_text(path.read_text(encoding="utf-8").replace("the set's", "another's"), encoding="utf-8")
    write_table(sound_runs, tmp_path / "page.md")
    assert f"{ours} RNN-ssRBM" not in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_the_protocols_take_three_sentences():
    assert PROTOCOLS.replace("\n", " ").count(". ") + 1 == 3
    assert PROTOCOLS.endswith("can.")
    assert SOUND_PROTOCOLS.endswith("can.")


def test_a_run_without_scores_says_what_to_do(runs, tmp_path):
    write_table(runs, tmp_path / "page.md", split="valid")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| RNN-II | `jsb/rnn-2` | = −8.00 |" in page
    assert "| CGRNN | `jsb/cgrnn` | not scored: run `cgrnn-train evaluate jsb/cgrnn --split valid` |" in page


def test_the_data_set_of_an_unscored_run_is_what_it_was_trained_on(data, tmp_path):
    run = make_run(tmp_path / "runs" / "vrnn", "vrnn")
    save_data(run, data)
    write_table([run], tmp_path / "page.md")
    assert "## Four chords, made by the test" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_bad_input_is_one_clear_sentence(tmp_path):
    out = tmp_path / "page.md"
    with pytest.raises(RunError, match="no run to tabulate"):
        write_table([], out)
    with pytest.raises(RunError, match="nowhere is not a run"):
        write_table([tmp_path / "nowhere"], out)
    run = make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn")
    (run / "model.safetensors").unlink()
    with pytest.raises(RunError, match="is unfinished"):
        write_table([run], out)
    assert not out.exists()


def test_a_finished_run_s_record_is_enough(tmp_path: Path):
    """The repository keeps records without weights."""
    run = record_fit(make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn"))
    (run / "model.safetensors").unlink()
    write_table([run], tmp_path / "page.md")
    assert "−6.00" in (tmp_path / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["scores/test.json", "fit.json"])
@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_an_unreadable_record_names_its_file(name, text, tmp_path):
    run = make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn")
    (run / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=name):
        write_table([run], tmp_path / "page.md")


def test_a_score_of_another_system_or_split_is_refused(tmp_path):
    run = make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn")
    (run / "scores" / "test.json").rename(run / "scores" / "valid.json")
    with pytest.raises(RunError, match="score the run again"):
        write_table([run], tmp_path / "page.md", split="valid")
    make_run(run, "rnn-rbm")
    with pytest.raises(RunError, match="score the run again"):
        write_table([run], tmp_path / "page.md", split="valid")


def test_runs_that_would_be_called_the_same_are_refused(tmp_path):
    runs = [make_run(tmp_path / parent / "jsb" / "cgrnn", "cgrnn") for parent in "ab"]
    with pytest.raises(RunError, match="both end in jsb/cgrnn"):
        write_table(runs, tmp_path / "page.md")


def test_a_run_that_began_from_others_shows_all_of_its_training(tmp_path):
    first, second, last = (make_scored(tmp_path / "jsb" / name, JSB, -6.0, AIS, "cgrnn") for name in "abc")
    for run in (first, last):
        record_fit(run, 3600.0)
    save_origin(second, first)
    save_origin(last, first)
    assert read_result(last, "test").commands[0] == read_result(first, "test").commands[0]
    write_table([last], tmp_path / "page.md")
    assert "2 h 00 min, 200 + 200 epochs" in (tmp_path / "page.md").read_text(encoding="utf-8")
    save_origin(last, second)  # which has no record: it was stopped
    write_table([last], tmp_path / "page.md")
    assert "unknown time, 200 + ? + 200 epochs" in (tmp_path / "page.md").read_text(encoding="utf-8")
    (last / ORIGIN).write_text('[{"command": 3}]', encoding="utf-8")
    with pytest.raises(RunError, match="origin.json is not what 'fit --from' writes"):
        write_table([last], tmp_path / "page.md")
    (last / ORIGIN).write_text('[{"command": "", "config": {}, "training_seconds": "1 h"}]', encoding="utf-8")
    with pytest.raises(RunError, match="origin.json is not what 'fit --from' writes"):
        write_table([last], tmp_path / "page.md")


def test_a_comparison_says_when_its_figure_does_not_stand(tmp_path):
    run = make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn")
    scores = run / "scores" / "test.json"
    found = json.loads(scores.read_text(encoding="utf-8"))
    found["check"]["more_temperatures_log_likelihood"] = -6.1
    scores.write_text(json.dumps(found), encoding="utf-8")
    write_table([run], tmp_path / "page.md")
    assert "≈ −6.00, which does not stand: 0.27 nat better" in (tmp_path / "page.md").read_text(encoding="utf-8")
    found["check"] |= {"more_temperatures_log_likelihood": -6.0, "standard_error": 0.02}
    scores.write_text(json.dumps(found), encoding="utf-8")
    write_table([run], tmp_path / "page.md")
    assert "≈ −6.00, which is undecided: 0.27 nat better" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_difference_has_an_interval_where_both_are_of_the_same_frames(tmp_path):
    runs = [
        make_scored(tmp_path / "jsb" / system, JSB, value, AIS, system)
        for system, value in [("cgrnn", -5.25), ("rnn-rbm", -5.5), ("rnn-ssrbm", -5.5)]
    ]
    path = runs[2] / "scores" / "test.json"
    path.write_text(path.read_text(encoding="utf-8").replace("the set's", "another's"), encoding="utf-8")
    write_table(runs, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "0.25 nat better than our RNN-RBM `jsb/rnn-rbm` (+0.23 to +0.30); " in page
    assert "0.25 nat better than our RNN-ssRBM `jsb/rnn-ssrbm`; " in page


def test_a_pipe_does_not_break_a_row(tmp_path):
    run = make_scored(tmp_path / "run", JSB, -6.0, AIS, "cgrnn")
    record_fit(run).joinpath("fit.json").write_text(
        json.dumps({"parameters": 1, "training_seconds": 1, "epochs": 1, "device": "cpu | gpu"}), encoding="utf-8"
    )
    write_table([run], tmp_path / "page.md")
    assert r"1 s, 1 epochs, transposed by ±5, cpu \| gpu |" in (tmp_path / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("cgrnn-train fit --out runs/a --seed 1", "cgrnn-train fit --out runs/a --seed 1"),
        ("cgrnn-train fit --data=/data/x/jsb '/my runs/a b'", "cgrnn-train fit --data=…/x/jsb …/'my runs/a b'"),
        (r"cgrnn-train fit --out 'C:\me\runs\a'", "cgrnn-train fit --out …/runs/a"),
        ("by hand, it's said, at /home/me/x/y", "by hand, 'it'\"'\"'s' said, at …/x/y"),
    ],
)
def test_commands_are_shown_without_machine_paths(command, shown):
    assert without_machine_paths(command) == shown


def test_run_names_are_the_last_two_components():
    assert run_name(Path("/work/runs/jsb/cgrnn")) == "jsb/cgrnn"
    assert run_name(Path("runs")) == "runs"
    assert run_name(Path(".")) == Path.cwd().name
    assert run_name(Path("../runs")) == "runs"


def test_words():
    assert [duration(seconds) for seconds in (0, 59.4, 60, 3599, 3600, 7500)] == [
        *("0 s", "59 s", "1 min", "1 h 00 min", "1 h 00 min", "2 h 05 min")
    ]
    assert [sign(kind) for kind in (EXACT, AIS, BOUND, ELBO)] == ["=", "≈", "≥", "≥"]
    assert sign(f"{AIS}, one sample of the latent path") == "≈"
    assert compared(-6.04, -6.27) == "0.23 nat better than"
    assert compared(-6.5, -6.27) == "0.23 nat worse than"
    assert compared(-6.274, -6.27) == "equal to"
