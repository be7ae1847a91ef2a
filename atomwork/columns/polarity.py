"""Whether columns are bright or dark."""

from scipy.stats import skew


def polarity(image):
    """1 where columns are brighter than what lies between, −1 where darker: whichever levels are the rarer extreme.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]

    Returns
    -------
    int
    """
    return 1 if skew(image, axis=None) >= 0 else -1
