"""Samples for tests."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from tests.samples import service
from tests.samples.models import Sample

numbers = count(1)


def make_sample(**values: Any) -> Sample:
    """A stored sample; `values` replace what it is made of."""
    return service.create({"name": f"Sample {next(numbers)}", "price": Decimal("29.90"), **values})
