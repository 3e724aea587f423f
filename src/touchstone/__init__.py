"""touchstone: is that robustness claim real?

    import touchstone

    touchstone.evaluate(model, images, labels, eps=8 / 255)

Every name below is imported when it is first used, so `import touchstone` itself loads neither torch nor a study. It works
in any folder. Only `load_study` reads files of a project.

Inside the package, and in components of your own, import from the modules themselves: code digests do not see through this
facade.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from touchstone.api.brittle_inputs import BrittleInput as BrittleInput
    from touchstone.api.brittle_inputs import brittle_inputs as brittle_inputs
    from touchstone.api.brittle_inputs import brittle_threshold as brittle_threshold
    from touchstone.api.components import BoundComponent as BoundComponent
    from touchstone.api.components import component as component
    from touchstone.api.components import components as components
    from touchstone.api.defence_result import DefenceResult as DefenceResult
    from touchstone.api.defences import evaluate_defence as evaluate_defence
    from touchstone.api.detector_scores import detector_scores as detector_scores
    from touchstone.api.detector_scores import evaluate_scores as evaluate_scores
    from touchstone.api.evaluation_result import EvaluationResult as EvaluationResult
    from touchstone.api.gradient_norms import gradient_norms as gradient_norms
    from touchstone.api.pairs import PairResult as PairResult
    from touchstone.api.pairs import evaluate_pair as evaluate_pair
    from touchstone.api.random_streams import RandomStreams as RandomStreams
    from touchstone.api.robust_accuracy import evaluate as evaluate
    from touchstone.api.studies import load_study as load_study

__version__ = "1.0.0"

_ORIGINS = {  # each public name: the module that defines it, and its name there
    "BoundComponent": ("api.components", "BoundComponent"),
    "BrittleInput": ("api.brittle_inputs", "BrittleInput"),
    "DefenceResult": ("api.defence_result", "DefenceResult"),
    "EvaluationResult": ("api.evaluation_result", "EvaluationResult"),
    "PairResult": ("api.pairs", "PairResult"),
    "RandomStreams": ("api.random_streams", "RandomStreams"),
    "brittle_inputs": ("api.brittle_inputs", "brittle_inputs"),
    "brittle_threshold": ("api.brittle_inputs", "brittle_threshold"),
    "component": ("api.components", "component"),
    "components": ("api.components", "components"),
    "detector_scores": ("api.detector_scores", "detector_scores"),
    "evaluate": ("api.robust_accuracy", "evaluate"),
    "evaluate_defence": ("api.defences", "evaluate_defence"),
    "evaluate_pair": ("api.pairs", "evaluate_pair"),
    "evaluate_scores": ("api.detector_scores", "evaluate_scores"),
    "gradient_norms": ("api.gradient_norms", "gradient_norms"),
    "load_study": ("api.studies", "load_study"),
}

__all__ = [
    "BoundComponent",
    "BrittleInput",
    "DefenceResult",
    "EvaluationResult",
    "PairResult",
    "RandomStreams",
    "__version__",
    "brittle_inputs",
    "brittle_threshold",
    "component",
    "components",
    "detector_scores",
    "evaluate",
    "evaluate_defence",
    "evaluate_pair",
    "evaluate_scores",
    "gradient_norms",
    "load_study",
]


if not TYPE_CHECKING:  # otherwise type checkers would accept any name

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _ORIGINS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _ORIGINS[name]
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names, the imported ones and those still to come."""
    return sorted({*globals(), *__all__})
