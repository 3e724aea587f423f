"""A digest of code changes if an edit can move a job's bytes, and not if it cannot; what it cannot follow, it refuses."""

import pytest

from touchstone.provenance import definitions
from touchstone.provenance.reach import Program, Unfollowed

ROOT = ("touchstone.job", "run")
PLUS, MINUS = "def f(x):\n    return x + 1\n", "def f(x):\n    return x - 1\n"
BOTH = {"a": PLUS, "b": MINUS}
ONE_OR_TWO = {"a": "def f(): return 1\ndef g(): return 2\n"}
POSTPONED = "from __future__ import annotations\n"
REGISTRY = "T = {}\ndef register(f):\n    T[f.__name__] = f\n    return f\n"


def digest(files: dict[str, str]) -> str:
    """Return the digest of what `run` in job reaches, in a package of these modules."""
    sources = {"touchstone": "", **{f"touchstone.{name}": source for name, source in files.items()}}
    parsed = {name: definitions.parse(source.encode()) for name, source in sources.items()}
    return Program(parsed.get).reach([ROOT]).digest


def outcome(before: dict[str, str], after: dict[str, str]) -> str:
    try:
        return "same" if digest(before) == digest(after) else "changed"
    except (Unfollowed, ValueError):
        return "refused"


def job(before: str, after: str, **others: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a package before and after an edit of its job."""
    return {**others, "job": before}, {**others, "job": after}


def edited(name: str, before: str, after: str, **others: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a package before and after an edit of another module."""
    return {**others, name: before}, {**others, name: after}


MOVES_BYTES = {
    "a global that only the file's own statements read, named like a local of another function": job(
        "def other():\n    f = 1\n    return f\nfrom touchstone.a import f\nX = f()\ndef run(): return X",
        "def other():\n    f = 1\n    return f\nfrom touchstone.a import g as f\nX = f()\ndef run(): return X",
        **ONE_OR_TWO,
    ),
    "what a class body writes into a table of the module": job(
        "T = {}\nclass C:\n    T['k'] = 1\ndef run(): return T", "T = {}\nclass C:\n    T['k'] = 2\ndef run(): return T"
    ),
    **{
        f"code that is found by a name: {spelling}": edited(
            "a", PLUS, MINUS, job=f"{line}\ndef run(): return {spelling}('touchstone.a')"
        )
        for spelling, line in {
            "load": "from importlib import import_module as load",
            "modules.get": "from sys import modules",
            "s.modules.get": "import sys as s",
            "builtins.eval": "import builtins",
            "runpy.run_module": "import runpy",
            "pkgutil.resolve_name": "import pkgutil",
            "make": "from importlib.util import spec_from_file_location as make",
        }.items()
    },
    **{
        f"a docstring that is read: {call}": job(
            f"{line}\ndef f(): 'one'\ndef run(): return {call}", f"{line}\ndef f(): 'two'\ndef run(): return {call}"
        )
        for call, line in {"g(f)": "from inspect import getdoc as g", "getattr(f, '__doc__')": ""}.items()
    },
    "a swapped import": job(
        "from touchstone.a import f\nimport touchstone.b\ndef run(): return f(1)",
        "from touchstone.b import f\nimport touchstone.a\ndef run(): return f(1)",
        **BOTH,
    ),
    "import a as m -> import b as m": job(
        "import touchstone.a as m\nimport touchstone.b as n\ndef run(): return m.f(1)",
        "import touchstone.b as m\nimport touchstone.a as n\ndef run(): return m.f(1)",
        **BOTH,
    ),
    "as-names swapped": job(
        "from touchstone.a import f as p, g as q\ndef run(): return p()",
        "from touchstone.a import f as q, g as p\ndef run(): return p()",
        **ONE_OR_TWO,
    ),
    "two names of one assignment exchanged": job(
        "from touchstone.a import A as p, B as q\ndef run(): return p - q",
        "from touchstone.a import B as p, A as q\ndef run(): return p - q",
        a="A, B = 1, 2",
    ),
    "a name that one function imports and another binds": job(
        "def other():\n    f = 1\n    return f\ndef run():\n    from touchstone.a import f\n    return f()",
        "def other():\n    f = 1\n    return f\ndef run():\n    from touchstone.a import g as f\n    return f()",
        **ONE_OR_TWO,
    ),
    "arguments swapped": job(
        "from touchstone.a import f, g\ndef run(): return f() - g()",
        "from touchstone.a import f, g\ndef run(): return g() - f()",
        **ONE_OR_TWO,
    ),
    "another package's function of one name": job(
        "from scipy.stats import norm\ndef run(): return norm(1)",
        "from numpy.linalg import norm\ndef run(): return norm(1)",
    ),
    "numpy -> jax.numpy": job(
        "import numpy as np\ndef run(): return np.sum(1)", "import jax.numpy as np\ndef run(): return np.sum(1)"
    ),
    "another attribute": job(
        "import numpy as np\ndef run(): return np.sum(1)", "import numpy as np\ndef run(): return np.prod(1)"
    ),
    "an import inside a function swapped": job(
        "def run():\n    from touchstone.a import f\n    return f(1)\ndef z():\n    from touchstone.b import f",
        "def run():\n    from touchstone.b import f\n    return f(1)\ndef z():\n    from touchstone.a import f",
        **BOTH,
    ),
    "one text, other meaning, one level down": (
        {
            **{"a": "from touchstone.c import g\ndef f(): return g()", "b": "from touchstone.d import g\ndef f(): return g()"},
            **{"c": "def g(): return 1", "d": "def g(): return 2"},
            "job": "from touchstone.a import f\nimport touchstone.b\ndef run(): return f()",
        },
        {
            **{"a": "from touchstone.c import g\ndef f(): return g()", "b": "from touchstone.d import g\ndef f(): return g()"},
            **{"c": "def g(): return 1", "d": "def g(): return 2"},
            "job": "from touchstone.b import f\nimport touchstone.a\ndef run(): return f()",
        },
    ),
    "the bodies of two modules exchanged": (
        {"a": PLUS, "b": MINUS, "job": "from touchstone.a import f\nimport touchstone.b\ndef run(): return f(1)"},
        {"a": MINUS, "b": PLUS, "job": "from touchstone.a import f\nimport touchstone.b\ndef run(): return f(1)"},
    ),
    "an import that hides a builtin removed": job(
        "from touchstone.a import sum\ndef run(): return sum([1])",
        "from touchstone import a\ndef run(): return sum([1])",
        a="def sum(x): return 0",
    ),
    "recursion with other ends": edited(
        "a",
        "def f(x): return g(x)\ndef g(x): return 1 if x else f(1)",
        "def f(x): return g(x)\ndef g(x): return 2 if x else f(1)",
        job="from touchstone.a import f\ndef run(): return f(0)",
    ),
    "two that call each other exchanged": job(
        "def f(n): return n and g(n - 1) + 1\ndef g(n): return n and f(n - 1) + 2\ndef run(): return f(3)",
        "def f(n): return n and g(n - 1) + 1\ndef g(n): return n and f(n - 1) + 2\ndef run(): return g(3)",
    ),
    "a statement at the top": job(
        "import torch\ntorch.set_num_threads(1)\ndef run(): return 1",
        "import torch\ntorch.set_num_threads(2)\ndef run(): return 1",
    ),
    "a statement at the top of a module that is imported": edited(
        "a", "import torch\ntorch.backends.x = 1", "import torch\ntorch.backends.x = 2",
        job="import touchstone.a\ndef run(): return 1",
    ),
    "the order of two statements": job(
        "import torch\ntorch.x = 1\ntorch.x = 2\ndef run(): return 1",
        "import torch\ntorch.x = 2\ntorch.x = 1\ndef run(): return 1",
    ),
    "the order of two imports with effects": job(
        "import touchstone.a\nimport touchstone.b\ndef run(): return 1",
        "import touchstone.b\nimport touchstone.a\ndef run(): return 1",
        a="import torch\ntorch.x = 1",
        b="import torch\ntorch.x = 2",
    ),
    "an import with an effect removed": job(
        "import touchstone.a\ndef run(): return 1", "def run(): return 1", a="import torch\ntorch.x = 1"
    ),
    "an import with an effect inside a function": edited(
        "a", "import torch\ntorch.x = 1", "import torch\ntorch.x = 2",
        job="def run():\n    import touchstone.a\n    return 1",
    ),
    "an effect of the package": edited(
        "q", "import torch\ntorch.x = 1", "import torch\ntorch.x = 2",
        **{"q.a": PLUS, "job": "from touchstone.q.a import f\ndef run(): return f(1)"},
    ),
    "a call with an effect that binds a name": edited(
        "a", "import torch\nold = torch.set_default(1)", "import torch\nold = torch.set_default(2)",
        job="import touchstone.a\ndef run(): return 1",
    ),
    "a registry filled by a decorator": edited(
        "a",
        "from touchstone.r import register\n@register\ndef f(): return 1",
        "from touchstone.r import register\n@register\ndef f(): return 2",
        r=REGISTRY,
        job="import touchstone.a\nfrom touchstone.r import T\ndef run(): return T['f']()",
    ),
    "a registry filled by a call": edited(
        "a",
        "from touchstone.r import register\ndef f(): return 1\nx = register(f)",
        "from touchstone.r import register\ndef f(): return 2\nx = register(f)",
        r=REGISTRY,
        job="import touchstone.a\nfrom touchstone.r import T\ndef run(): return T['f']()",
    ),
    **{
        f"a registry filled by {where}": edited(
            "a", f"from touchstone.r import add\n{source}", f"from touchstone.r import add\n{source}".replace("add(1)", "add(2)"),
            r="T = []\ndef add(x):\n    T.append(x)\n    return object\n",
            job="import touchstone.a\nfrom touchstone.r import T\ndef run(): return T",
        )
        for where, source in {
            "a default": "def f(x=add(1)): return x",
            "a default of a keyword": "def f(*, x=add(1)): return x",
            "a default of a method": "class A:\n    def f(self, x=add(1)): return x",
            "a default of a lambda": "f = lambda x=add(1): x",
            "a base": "class A(add(1)): pass",
            "a base of a class in a class": "class A:\n    class B(add(1)): pass",
            "an annotation": "def f(x: add(1)): return x",
            "an annotation of a result": "def f() -> add(1): return 1",
            "an annotation of a field": "class A:\n    x: add(1) = 1",
            "a subscript of a decorator": "@{'k': add(1)}['k']\ndef f(): return 1",
            "an argument of a decorator": "from functools import lru_cache\n@lru_cache(add(1))\ndef f(): return 1",
            "a walrus": "x = [y := add(1)]",
            "a format": "x = f'{add(1)}'",
            "a with": "with add(1)() as x: y = 1",
            "a loop": "for x in [add(1)]: y = x",
            "a type of an exception": "try:\n    x = 1\nexcept add(1): x = 2",
        }.items()
    },
    "a condition beside TYPE_CHECKING": job(
        "from typing import TYPE_CHECKING\nif 1 or TYPE_CHECKING:\n    K = 1\ndef run(): return K",
        "from typing import TYPE_CHECKING\nif 1 or TYPE_CHECKING:\n    K = 2\ndef run(): return K",
    ),
    "the else of what only runs as a program": job(
        "if __name__ == '__main__':\n    pass\nelse:\n    K = 1\ndef run(): return K",
        "if __name__ == '__main__':\n    pass\nelse:\n    K = 2\ndef run(): return K",
    ),
    "a condition beside that of a program": edited(
        "a", "import torch\nif __name__ == '__main__' or not None:\n    torch.x = 1",
        "import torch\nif __name__ == '__main__' or not None:\n    torch.x = 2",
        job="import touchstone.a\ndef run(): return 1",
    ),
    "a condition on the name of the module": edited(
        "a", "import torch\nif __name__ == 'touchstone.a':\n    torch.x = 1",
        "import torch\nif __name__ == 'touchstone.a':\n    torch.x = 2",
        job="import touchstone.a\ndef run(): return 1",
    ),
    "a registry filled by __init_subclass__": edited(
        "a",
        "from touchstone.r import B\nclass X(B):\n    k = 1",
        "from touchstone.r import B\nclass X(B):\n    k = 2",
        r="T = {}\nclass B:\n    def __init_subclass__(c): T[c.__name__] = c",
        job="import touchstone.a\nfrom touchstone.r import B, T\ndef run(): return T['X'].k, B",
    ),
    "a registry filled by a metaclass": edited(
        "a",
        "from touchstone.r import B\nclass X(B):\n    k = 1",
        "from touchstone.r import B\nclass X(B):\n    k = 2",
        r="T = {}\nclass M(type):\n    def __init__(c, *a): T[c.__name__] = c\nclass B(metaclass=M): pass",
        job="import touchstone.a\nfrom touchstone.r import B, T\ndef run(): return T['X'].k, B",
    ),
    "a function of ours replaced at import": edited(
        "p", "from touchstone import a\na.f = lambda: 3", "from touchstone import a\na.f = lambda: 4",
        a="def f(): return 1",
        job="import touchstone.p\nfrom touchstone import a\ndef run(): return a.f()",
    ),
    "a class attribute replaced at import": job(
        "class A:\n    k = 1\nA.k = 2\ndef run(): return A.k", "class A:\n    k = 1\nA.k = 3\ndef run(): return A.k"
    ),
    "__getattr__ of a module": edited(
        "a", "def __getattr__(n): return 1", "def __getattr__(n): return 2",
        job="from touchstone import a\ndef run(): return a.q",
    ),
    "getattr(module, name)": edited(
        "a", "def f(): return 1", "def f(): return 2", job="from touchstone import a\ndef run(): return getattr(a, 'f')()"
    ),
    "vars(module)": edited(
        "a", "def f(): return 1", "def f(): return 2", job="import touchstone.a as a\ndef run(): return vars(a)['f']()"
    ),
    "globals()[name]": job(
        "def f(): return 1\ndef run(): return globals()['f']()", "def f(): return 2\ndef run(): return globals()['f']()"
    ),
    "import_module(text)": edited(
        "a", "def f(): return 1", "def f(): return 2",
        job="import importlib\ndef run(): return importlib.import_module('touchstone.a').f()",
    ),
    "sys.modules[text]": edited(
        "a", "def f(): return 1", "def f(): return 2",
        job="import sys\nimport touchstone.a\ndef run(): return sys.modules['touchstone.a'].f()",
    ),
    "eval(text)": edited(
        "a", "def f(): return 1", "def f(): return 2", job="from touchstone.a import f\ndef run(): return eval('f()')"
    ),
    "a star import": edited(
        "a", "def f(): return 1", "def f(): return 2", job="from touchstone.a import *\ndef run(): return f()"
    ),
    "a relative import": edited("a", "def f(): return 1", "def f(): return 2", job="from .a import f\ndef run(): return f()"),
    "the other library behind try": job(
        "try:\n    from fast import f\nexcept ImportError:\n    f = None\ndef run(): return f",
        "try:\n    from slow import f\nexcept ImportError:\n    f = None\ndef run(): return f",
    ),
    "the branches of a conditional import": job(
        "import sys\nif sys.x:\n    from touchstone.a import f\nelse:\n    from touchstone.b import f\ndef run(): return f(1)",
        "import sys\nif sys.x:\n    from touchstone.b import f\nelse:\n    from touchstone.a import f\ndef run(): return f(1)",
        **BOTH,
    ),
    "the order of two definitions of one name": job(
        "def f(): return 1\ndef f(): return 2\ndef run(): return f()",
        "def f(): return 2\ndef f(): return 1\ndef run(): return f()",
    ),
    "a default from before its constant is bound again": job(
        "K = 1\ndef run(x=K): return x\nK = 2", "K = 1\nK = 2\ndef run(x=K): return x"
    ),
    "a table that grows, and a default between": job(
        "X = {1: 1}\ndef run(x=len(X)): return x\nX |= {2: 2}", "X = {1: 1}\nX |= {2: 2}\ndef run(x=len(X)): return x"
    ),
    "a constant in a class": job("class A:\n    k = 1\ndef run(): return A.k", "class A:\n    k = 2\ndef run(): return A.k"),
    "a decorator swapped": job(
        "from touchstone.a import d\nimport touchstone.b\n@d\ndef run(): return 1",
        "from touchstone.b import d\nimport touchstone.a\n@d\ndef run(): return 1",
        a="def d(f): return f",
        b="def d(f): return lambda: 0",
    ),
    "a default": job("K = 1\ndef run(x=K): return x", "K = 2\ndef run(x=K): return x"),
    "a global that another function sets": job(
        "k = 0\ndef s():\n    global k\n    k = 1\ndef run():\n    s(); return k",
        "k = 0\ndef s():\n    global k\n    k = 2\ndef run():\n    s(); return k",
    ),
    "a field that becomes a ClassVar": job(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass A:\n    k: int = 1\ndef run(): return A()",
        "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass A:\n    k: ClassVar[int] = 1\n"
        "def run(): return A()",
    ),
    "the type of a field": job(
        "import msgspec\nclass A(msgspec.Struct):\n    k: int\ndef run(): return msgspec.convert({}, A)",
        "import msgspec\nclass A(msgspec.Struct):\n    k: float\ndef run(): return msgspec.convert({}, A)",
    ),
    "dispatch by annotation": job(
        "from functools import singledispatch\n@singledispatch\ndef f(x): return 0\n@f.register\ndef g(x: int): return 1\n"
        "def run(): return f(1)",
        "from functools import singledispatch\n@singledispatch\ndef f(x): return 0\n@f.register\ndef g(x: str): return 1\n"
        "def run(): return f(1)",
    ),
    "an annotation that is read": job(
        "import inspect\ndef f(x: int): return 0\ndef run(): return inspect.signature(f).parameters['x'].annotation",
        "import inspect\ndef f(x: str): return 0\ndef run(): return inspect.signature(f).parameters['x'].annotation",
    ),
    "annotations of parameters that are evaluated": job(
        f"{POSTPONED}def f(x: int): return 0\ndef run(): return f.__annotations__",
        "def f(x: int): return 0\ndef run(): return f.__annotations__",
    ),
    "an annotation of a result that is evaluated": job(
        f"{POSTPONED}def f() -> int: return 0\ndef run(): return f.__annotations__",
        "def f() -> int: return 0\ndef run(): return f.__annotations__",
    ),
    "annotations of fields that are evaluated": edited(
        "a", f"{POSTPONED}class A:\n    k: int = 1", "class A:\n    k: int = 1",
        job="from touchstone.a import A\ndef run(): return A.__annotations__",
    ),
    "an annotation of a keyword that is evaluated": job(
        f"{POSTPONED}def run(*, k: int = 1): return run.__annotations__", "def run(*, k: int = 1): return run.__annotations__"
    ),
    "a parameter's name that is read": job(
        "import inspect\ndef f(x): return 0\ndef run(): return list(inspect.signature(f).parameters)",
        "import inspect\ndef f(y): return 0\ndef run(): return list(inspect.signature(f).parameters)",
    ),
    "a docstring that is read": job(
        'def f():\n    "one"\ndef run(): return f.__doc__', 'def f():\n    "two"\ndef run(): return f.__doc__'
    ),
    "a comment that is read": job(
        "import inspect\ndef f(): return 1  # a\ndef run(): return inspect.getsource(f)",
        "import inspect\ndef f(): return 1  # b\ndef run(): return inspect.getsource(f)",
    ),
    "a class's name that is read": job(
        "class A: pass\ndef run(): return type(A()).__name__", "class B: pass\ndef run(): return type(B()).__name__"
    ),
    "__name__ after a move": (
        {"a": "def f(): return __name__", "job": "from touchstone.a import f\ndef run(): return f()"},
        {"c": "def f(): return __name__", "job": "from touchstone.c import f\ndef run(): return f()"},
    ),
    "__module__ after a move": (
        {"a": "class A: pass", "job": "from touchstone.a import A\ndef run(): return A.__module__"},
        {"c": "class A: pass", "job": "from touchstone.c import A\ndef run(): return A.__module__"},
    ),
    "an assert": job("def run(x=1):\n    assert x, 1\n    return x", "def run(x=1):\n    assert not x, 1\n    return x"),
    "a message": job("def run():\n    raise ValueError('a')", "def run():\n    raise ValueError('b')"),
    "True -> 1": job("def run(): return True", "def run(): return 1"),
    "1.0 -> 1": job("def run(): return 1.0", "def run(): return 1"),
    "bytes -> text": job("def run(): return b'a'", "def run(): return 'a'"),
    "a keyword's name": job("def run(): return dict(a=1)", "def run(): return dict(b=1)"),
    "async": job("def run(): return 1", "async def run(): return 1"),
    "del": job("def run(x=[1, 2]):\n    del x[0]\n    return x", "def run(x=[1, 2]):\n    del x[1]\n    return x"),
    "a name that is local here and global there": edited(
        "k", "K = 1", "K = 2",
        job="from touchstone.k import K\ndef run():\n    def inner():\n        K = 3\n        return K\n    return inner() + K",
    ),
    "a name that a class body reads": job(
        "K = 1\nclass A:\n    K = K\ndef run(): return A.K", "K = 2\nclass A:\n    K = K\ndef run(): return A.K"
    ),
    "a walrus in a comprehension": job(
        "K = 1\ndef run(): return [(y := x) + K for x in range(3)], y",
        "K = 2\ndef run(): return [(y := x) + K for x in range(3)], y",
    ),
    "a lambda's default": job("K = 1\nrun = lambda x=K: x", "K = 2\nrun = lambda x=K: x"),
    "a match pattern": job(
        "class A: pass\nclass B(A): pass\ndef run(x=1):\n    match x:\n        case A(): return 1",
        "class A: pass\nclass B(A): pass\ndef run(x=1):\n    match x:\n        case B(): return 1",
    ),
    "a format specification": job("def run(x=1.5): return f'{x:.1f}'", "def run(x=1.5): return f'{x:.2f}'"),
    "a re-export that points elsewhere": edited(
        "c", "from touchstone.a import f", "from touchstone.b import f",
        job="from touchstone.c import f\nimport touchstone.a, touchstone.b\ndef run(): return f(1)",
        **BOTH,
    ),
    "a base class": edited(
        "a", "class A:\n    def f(self): return 1", "class A:\n    def f(self): return 2",
        job="from touchstone.a import A\nclass B(A): pass\ndef run(): return B().f()",
    ),
    "__slots__ of a class": job(
        "class A:\n    __slots__ = ('a',)\ndef run(): return A()", "class A:\n    __slots__ = ('b',)\ndef run(): return A()"
    ),
}  # fmt: skip

MOVES_NOTHING = {
    "a module renamed": (
        {"a": PLUS, "job": "from touchstone.a import f\ndef run(): return f(1)"},
        {"c": PLUS, "job": "from touchstone.c import f\ndef run(): return f(1)"},
    ),
    "a module renamed that is used by its name": (
        {"a": PLUS, "job": "from touchstone import a\ndef run(): return a.f(1)"},
        {"c": PLUS, "job": "from touchstone import c\ndef run(): return c.f(1)"},
    ),
    "a package renamed": (
        {"p": "", "p.a": PLUS, "job": "from touchstone.p.a import f\ndef run(): return f(1)"},
        {"q": "", "q.a": PLUS, "job": "from touchstone.q.a import f\ndef run(): return f(1)"},
    ),
    "a module split": (
        {"a": PLUS + "def g(): return 5", "job": "from touchstone.a import f\ndef run(): return f(1)"},
        {"a": PLUS, "c": "def g(): return 5", "job": "from touchstone.a import f\ndef run(): return f(1)"},
    ),
    "a definition moved beside its caller": (
        {"a": PLUS, "job": "from touchstone.a import f\ndef run(): return f(1)"},
        {"job": PLUS + "def run(): return f(1)"},
    ),
    "two that call each other moved apart": (
        {
            "a": "def f(n): return n and g(n - 1)\ndef g(n): return n and f(n - 1)",
            "job": "from touchstone.a import f\ndef run(): return f(3)",
        },
        {
            "a": "from touchstone.b import g\ndef f(n): return n and g(n - 1)",
            "b": "from touchstone.a import f\ndef g(n): return n and f(n - 1)",
            "job": "from touchstone.a import f\ndef run(): return f(3)",
        },
    ),
    "module.f -> from module import f": job(
        "from touchstone import a\ndef run(): return a.f(1)", "from touchstone.a import f\ndef run(): return f(1)", a=PLUS
    ),
    "an import moved into the function": job(
        "from touchstone.a import f\ndef run(): return f(1)", "def run():\n    from touchstone.a import f\n    return f(1)", a=PLUS
    ),
    "an alias": job(
        "import numpy as np\ndef run(): return np.sum(1)", "import numpy as arrays\ndef run(): return arrays.sum(1)"
    ),
    "a re-export": (
        {"a": PLUS, "job": "from touchstone.a import f\ndef run(): return f(1)"},
        {"a": PLUS, "c": "from touchstone.a import f", "job": "from touchstone.c import f\ndef run(): return f(1)"},
    ),
    "definitions in another order": job(
        "def f(): return 1\ndef run(): return f()", "def run(): return f()\ndef f(): return 1"
    ),
    "a definition that the job does not reach": edited(
        "a", PLUS + "def g(): return 5", PLUS + "def g(): return 6", job="from touchstone.a import f\ndef run(): return f(1)"
    ),
    "an import that nothing uses": edited(
        "a", PLUS, "import touchstone.b\n" + PLUS, b=MINUS, job="from touchstone.a import f\ndef run(): return f(1)"
    ),
    "comments, docstrings and layout": job(
        '"""Old."""\ndef run(x=1):\n    "old"\n    return (x)  # old', '"""New."""\n\n\ndef run(x = 1):\n    """New."""\n    return x'
    ),
    "what only runs as a program": job("def run(): return 1", "def run(): return 1\nif __name__ == '__main__':\n    print(run())"),
    "annotations evaluated or not, where there are none": job(f"{POSTPONED}def run(x=1): return x", "def run(x=1): return x"),
    "an import for type checkers": job(
        "def run(): return 1", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from touchstone.a import f\ndef run(): return 1",
        a=PLUS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES_BYTES)
def test_an_edit_that_can_move_bytes_is_noticed_or_refused(name):
    assert outcome(*MOVES_BYTES[name]) != "same"


@pytest.mark.parametrize("name", MOVES_NOTHING)
def test_an_edit_that_moves_nothing_reruns_nothing(name):
    assert outcome(*MOVES_NOTHING[name]) == "same"
