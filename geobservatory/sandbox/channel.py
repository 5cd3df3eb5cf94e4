"""One image of a simulated product: a swath of a date in a polarisation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from geobservatory.sandbox.instrument import LINE_S
from geobservatory.sandbox.plan import Plan, Shot, Window


@dataclass(frozen=True)
class Channel:
    """One swath of one date in one polarisation, and its number among the product's."""

    plan: Plan
    shot: Shot
    window: Window
    polarisation: str
    number: int

    @property
    def starts(self) -> list[np.datetime64]:
        """First line of each burst the product holds."""
        return [
            self.plan.burst_time(self.shot, self.window, burst)
            for burst in self.plan.numbers(self.shot)
        ]

    @property
    def span(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last line."""
        last = self.window.swath.lines - 1
        return self.starts[0], self.starts[-1] + np.timedelta64(round(last * LINE_S * 1e6), "us")

    @property
    def lines(self) -> int:
        """Lines of the image."""
        return self.window.swath.lines * len(self.starts)

    @property
    def stem(self) -> str:
        """Name of its files, without ending."""
        start, stop = (str(one.astype("datetime64[s]")).replace("-", "") for one in self.span)
        start, stop = (one.replace(":", "").lower() for one in (start, stop))
        return (
            f"{self.plan.passing.mission.lower()}-{self.window.swath.name.lower()}-slc-"
            f"{self.polarisation.lower()}-{start}-{stop}-{self.shot.absolute_orbit:06d}-"
            f"{data_take(self.shot):06x}-{self.number:03d}"
        )

    @property
    def header(self) -> dict[str, Any]:
        """What every file of the channel begins with."""
        start, stop = self.span
        return {
            "missionId": self.plan.passing.mission,
            "productType": "SLC",
            "polarisation": self.polarisation,
            "mode": "IW",
            "swath": self.window.swath.name,
            "startTime": start,
            "stopTime": stop,
            "absoluteOrbitNumber": self.shot.absolute_orbit,
            "missionDataTakeId": data_take(self.shot),
            "imageNumber": f"{self.number:03d}",
        }


def data_take(shot: Shot) -> int:
    """Give a data take number that grows with the orbits as the real ones do."""
    return round(shot.absolute_orbit * 7.8875)
