"""The numbers of the made-up study."""

import pytest

import synthetic_study
from touchstone.records.metric_tables import Metrics
from touchstone.report.tables import Numbers, numbered

STUDY = vars(synthetic_study)


@pytest.fixture(scope="module")
def numbers_of():
    """The numbers of an evaluation of the made-up study, and its rows by what they are about."""

    def numbers(question):
        cells, settings = STUDY["given"](question)
        return Numbers(numbered({"main": Metrics(question(*cells, **settings))}))

    return numbers
