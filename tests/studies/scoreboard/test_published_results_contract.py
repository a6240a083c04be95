"""The contract of every file of published results, those of installed packages included."""

import pytest
from ganprune.studies.scoreboard.catalog import PROTOCOLS, RESULT_FILES


@pytest.mark.parametrize("name", RESULT_FILES)
def test_each_result_has_a_known_protocol_its_source_and_a_positive_size(name: str):
    """A row without a protocol cannot be compared, and one without a source cannot be checked."""
    results = RESULT_FILES.find(name).results()
    assert results
    for row in results:
        assert row.protocol in PROTOCOLS
        assert row.source
        assert all(size is None or size > 0 for size in (row.published_gmacs, row.exact_gmacs, row.mparams))
