"""Who made the data sets that touchstone knows, as a report cites them, with licence and address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class DataSet(NamedTuple):
    """How to cite the files of a source, under which licence they may be used, and where they come from."""

    citation: str
    licence: str
    url: str


OFFERED = "none stated; offered for research"
ODIN = "https://github.com/facebookresearch/odin"

DATA_SETS = {  # of src/touchstone/data/sources
    "cifar10": DataSet("Krizhevsky. CIFAR-10. 2009", OFFERED, "https://www.cs.toronto.edu/~kriz/cifar.html"),
    "cifar100": DataSet("Krizhevsky. CIFAR-100. 2009", OFFERED, "https://www.cs.toronto.edu/~kriz/cifar.html"),
    "fashion_mnist": DataSet(
        "Xiao, Rasul, Vollgraf. Fashion-MNIST. 2017",
        "MIT, (c) 2017 Zalando SE",
        "https://github.com/zalandoresearch/fashion-mnist",
    ),
    "gtsrb": DataSet("Stallkamp, Schlipsing, Salmen, Igel. GTSRB. 2012", OFFERED, "https://benchmark.ini.rub.de"),
    "isun": DataSet("Xu et al. iSUN. 2015, shrunk by Liang, Li, Srikant. 2018", OFFERED, ODIN),
    "lsun_crop": DataSet("Yu et al. LSUN. 2015, cropped by Liang, Li, Srikant. 2018", OFFERED, ODIN),
    "lsun_resize": DataSet("Yu et al. LSUN. 2015, shrunk by Liang, Li, Srikant. 2018", OFFERED, ODIN),
    "mnist": DataSet("LeCun, Cortes, Burges. MNIST. 1998", "CC BY-SA 3.0", "http://yann.lecun.com/exdb/mnist"),
    "places365": DataSet(
        "Zhou et al. Places365. 2017",
        "none stated for the photographs; offered for research",
        "http://places2.csail.mit.edu",
    ),
    "skimage_faces": DataSet(
        "Huang et al. Labeled Faces in the Wild. 2012, 100 faces as bundled with scikit-image",
        "LFW states none; its photographs are news pictures, offered for research",
        "https://scikit-image.org",
    ),
    "skimage_textures": DataSet(
        "Bricks25 and Gravel04 of cc0textures.com, Grass 01 of deviantart.com/linolafett, as bundled with scikit-image",
        "CC0 1.0",
        "https://scikit-image.org",
    ),
    "sklearn_digits": DataSet(
        "Alpaydin, Kaynak. Optical recognition of handwritten digits. UCI, 1998, as bundled with scikit-learn",
        "CC BY 4.0",
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    ),
    "sklearn_photographs": DataSet(
        "china.jpg by danielbuechele and flower.jpg by vultilion, flickr.com, as bundled with scikit-learn",
        "CC BY 2.0",
        "https://scikit-learn.org",
    ),
    "svhn": DataSet("Netzer et al. SVHN. 2011", "non-commercial use only", "http://ufldl.stanford.edu/housenumbers"),
    "textures": DataSet("Cimpoi et al. DTD. 2014", OFFERED, "https://www.robots.ox.ac.uk/~vgg/data/dtd"),
}


def cited(sources: Mapping[str, Mapping[str, Any]]) -> list[DataSet]:
    """Return whom a study's data is from, in the order of its sources, each once.

    Args:
        sources: of the study's settings. One that states a citation of its own, such as an address, is cited by it.
            Files of the user's own are cited by nobody.
    """
    found = []
    for block in sources.values():
        if "citation" in block:
            found.append(DataSet(block["citation"], block["licence"], block["url"]))
        elif known := DATA_SETS.get(block["use"].rpartition("/")[2]):
            found.append(known)
    return list(dict.fromkeys(found))
