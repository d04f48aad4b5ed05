"""What is unusual but right is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.settings.conftest import Problems


@pytest.mark.parametrize(
    "table",
    [
        "[rating]\nminimum = 0.5\nstep = 0.1\nmaximum = 5",
        "[rating]\nlow_below = 1",
        "[rating]\nlow_below = 6",
        "[rating]\nminimum = -1\nmaximum = 1\nstep = 2\nlow_below = 0",
        "[intake]\npoll_interval = '100ms'",
        "[daemon]\ngrace = '0s'",
        "[delivery]\nbackoff_initial = '1h'\nbackoff_maximum = '1h'\nworkers = 1000",
        "[reports.a-b_1]\nat = '00:00'\ntimezone = 'Pacific/Apia'\nchannel = 'sms'\nto = ['+4915112345678']",
        "[reports.x]\nto = ['a@bücher.example']",
        "[business]\nname = 'Café Zoë 🌻'",
        "[plugins.tables]\n[plugins.model_dump]\n[plugins.copy]\nx = {y = [1, {z = 2}]}",
    ],
)
def test_what_lies_just_inside_the_bounds_is_taken(problems: Problems, table: str) -> None:
    """Bounds include their ends, and names that look like methods are names."""
    assert problems(table) == ()
