"""Every law over every technique there is; nothing is listed here by name."""

import pytest

from tauten.technique import techniques
from tauten.testing import LAWS


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("kind", techniques().values(), ids=techniques())
def test_law(kind, law):
    law(kind)
