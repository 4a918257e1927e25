"""What the site needs to know of the house. Refuses to know who knows it."""

from typing import Protocol

from farebox.catalogue.types import Snapshot
from farebox.insights.queries import ModelTotal
from farebox.insights.statistics import Figures


class HouseState(Protocol):
    @property
    def version(self) -> str: ...
    @property
    def workers(self) -> int: ...


class Source(Protocol):
    """Control, as far as pages read it."""

    @property
    def catalogue(self) -> Snapshot: ...

    @property
    def live(self) -> frozenset[str]: ...

    def state(self) -> HouseState: ...

    def figures(self, endpoint: str) -> Figures: ...

    async def model_totals(self) -> dict[str, ModelTotal]: ...
