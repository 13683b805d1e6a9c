"""Published figures: complete, of one sign, in our systems' names, and the ones to beat are the best credible ones."""

from cgrnn_train.published import NAMES, POLYPHONIC, PUBLISHED, RNN_RBM, TABLE_1, TABLE_1_SOUND, TO_BEAT
from cgrnn_train.systems import SYSTEMS


def test_table_1_has_our_systems_in_its_order():
    assert list(NAMES) == [row.system for row in TABLE_1] == list(SYSTEMS)
    assert len(set(NAMES.values())) == len(NAMES)


def test_figures_are_log_likelihoods_of_known_sets():
    for row in PUBLISHED:
        assert set(row.also) <= set(row.log_likelihood) <= set(POLYPHONIC)
        assert bool(row.also) == bool(row.also_is)
        assert all(value < 0 for value in (*row.log_likelihood.values(), *row.also.values()))
        assert row.ours is None or row.ours in SYSTEMS
        assert (row.sign == "=") == row.kind.startswith("exact")
    assert all(row.log_likelihood < 0 < row.accuracy < 100 for row in TABLE_1)


def test_the_figures_to_beat_are_the_best_exact_ones_that_score_every_frame():
    exact = [row for row in PUBLISHED if row.kind == "exact"]
    best = {
        name: max(
            value for row in exact for group in (row.log_likelihood, row.also) for value in [group.get(name, -99)]
        )
        for name in POLYPHONIC
    }
    assert best == TO_BEAT
    assert list(RNN_RBM.values()) == [-6.27, -2.39, -6.01, -7.09]


def test_table_1_mixes_two_protocols():
    predicted = [row.name for row in TABLE_1 if row.protocol == "prediction"]
    assert predicted == ["RNN-I", "RNN-II", "STORN"]
    assert {row.name for row in TABLE_1 if row.kind == "exact"} == {"RNN-I", "RNN-II"}


def test_the_columns_of_sound_have_the_same_rows_under_the_same_protocols():
    assert [(row.system, row.name, row.protocol) for row in TABLE_1_SOUND] == [
        (row.system, row.name, row.protocol) for row in TABLE_1
    ]
    hidden = [row.name for row in TABLE_1_SOUND if row.log_likelihood is None]
    assert hidden == ["STORN", "VRNN", "SRNN-s", "SRNN-s+res", "SRNN-f"]
    assert [row.rmse for row in TABLE_1_SOUND] == [5.14, 4.85, 5.61, 1.80, 4.16, 4.08, 2.29, 3.27, 1.71, 0.50]
    assert min(TABLE_1_SOUND, key=lambda row: row.rmse).system == "cgrnn"
