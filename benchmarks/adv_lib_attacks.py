"""adv-lib's attacks, importable without visdom, which has no wheel and draws pictures that no race shows."""

from __future__ import annotations

import sys
from types import ModuleType

sys.modules.setdefault("visdom", ModuleType("visdom"))
from adv_lib.attacks import fab, fmn, pdpgd, pgd_linf  # noqa: E402
from adv_lib.attacks.auto_pgd import minimal_apgd  # noqa: E402

__all__ = ["fab", "fmn", "minimal_apgd", "pdpgd", "pgd_linf"]
