"""Points of the globe in whole cells, so that nearness is a matter of adding and multiplying whole numbers."""

from dataclasses import dataclass
from math import cos, radians, sin

CELL_KM = 5.0
COARSE_CELLS = 5
"""A reader's place is kept to this many cells, some 25 km: it tells a region, not a street."""
_EARTH_CELLS = 6371.0 / CELL_KM


@dataclass(frozen=True, slots=True)
class Cell:
    """A point of the globe's surface, counted in cells from its middle along three axes."""

    x: int
    y: int
    z: int

    def square_to(self, other: "Cell") -> int:
        """The square of the straight distance between two, in cells."""
        return (self.x - other.x) ** 2 + (self.y - other.y) ** 2 + (self.z - other.z) ** 2


def cell_of(latitude: float, longitude: float) -> Cell:
    """The cell of a point given in degrees."""
    north, east = radians(latitude), radians(longitude)
    x, y, z = cos(north) * cos(east), cos(north) * sin(east), sin(north)
    return Cell(round(x * _EARTH_CELLS), round(y * _EARTH_CELLS), round(z * _EARTH_CELLS))


def coarse_cell_of(latitude: float, longitude: float) -> Cell:
    """The cell of a reader's place, rounded so that it stands for a whole region."""
    exact = cell_of(latitude, longitude)
    x, y, z = (round(axis / COARSE_CELLS) * COARSE_CELLS for axis in (exact.x, exact.y, exact.z))
    return Cell(x, y, z)


def square_of(kilometres: float) -> int:
    """A distance over ground as `Cell.square_to` gives it: the square of the chord, in cells."""
    chord = 2 * _EARTH_CELLS * sin(kilometres / CELL_KM / _EARTH_CELLS / 2)
    return round(chord**2)
