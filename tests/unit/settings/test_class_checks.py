"""Images that are not of the world in the place of known ones, and validation on training images, are refused."""

import pytest

from projects import study_text
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

NOISE = {"use": "uniform_noise", "count": 60, "size": 28, "seed": 9}
SCRAMBLED = {"use": "phase_scrambled", "of": "digits_detector_train"}
DARKER = {"use": "natural_shift", "of": "digits_train", "shift": "darker"}
PIXELS = "pixel_mahalanobis"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": {"calibration": {"digits_calibration": NOISE | dict.fromkeys(("source", "part"))}}},
            "digits_calibration is noise, and known images are asked for",
        ),
        (
            {"data": {"sets": {"odd": SCRAMBLED}}, "change": {"detectors": {PIXELS: {"fit": "odd"}}}},
            "change.detectors.pixel_mahalanobis.fit: odd is scrambled, and known images are asked for",
        ),
        (
            {"data": {"validation": {"digits_validation": DARKER | dict.fromkeys(("source", "part"))}}},
            "digits_validation is made of images of digits_train, the training set; use another set",
        ),
    ],
    ids=[
        "thresholds of noise",
        "scrambled images as normal",
        "validation on training images",
    ],
)
def test_a_set_that_cannot_play_its_part_is_refused(tmp_path, changes, message):
    path = tmp_path / "mine.yaml"
    path.write_text(study_text("digits", **changes))

    with pytest.raises(ParamsError) as error:
        load(str(path))

    assert any(message in line and line.startswith(f"{path}:") for line in str(error.value).splitlines()), error.value
