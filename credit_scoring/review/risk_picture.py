"""The risk against the threshold as a picture: where everything lies on a line from 0 to 100 %."""

from dataclasses import dataclass

WIDTH = 640
MARGIN = 20
_LABEL_HALF = 70  # half of the widest label, which must not leave the picture


@dataclass(frozen=True)
class RiskPicture:
    """Places along the line, in the picture's own units; the band of review is absent where there is none."""

    risk: float
    threshold: float
    review_from: float | None

    def at(self, share: float) -> float:
        """The place of this share."""
        return round(MARGIN + (WIDTH - 2 * MARGIN) * min(max(share, 0.0), 1.0), 1)

    def label_at(self, share: float) -> float:
        """The middle of a label at this share."""
        return min(max(self.at(share), _LABEL_HALF), WIDTH - _LABEL_HALF)
