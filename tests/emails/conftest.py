"""The mails that checks are made of: the invented ones, and twenty digests of real records."""

from pathlib import Path

import pytest

from bench.digest_makers import MadeMail, make_digests, make_samples
from bench.digest_stories import open_shelf, twenty_stories


@pytest.fixture(scope="session", params=["samples", pytest.param("real records", marks=pytest.mark.slow)])
def mails(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[MadeMail]:
    """All mails of one kind."""
    if request.param == "samples":
        return make_samples()
    folder: Path = request.getfixturevalue("registry_folder")
    stories = twenty_stories(open_shelf(folder))
    made = make_digests(stories, home=tmp_path_factory.mktemp("digests"))
    assert [mail.name for mail in made] == [story.name for story in stories]
    return made
