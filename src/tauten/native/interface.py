"""The library's C interface: its structures, and its functions with their types."""

import ctypes
import functools

from tauten.native.library import library

TYPES: dict[str, type] = {
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "uint32_t": ctypes.c_uint32,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "floats": ctypes.POINTER(ctypes.c_float),
    "words": ctypes.POINTER(ctypes.c_uint32),
}
EACH: dict[str, type[ctypes.c_float] | type[ctypes.c_uint32]] = {"floats": ctypes.c_float, "words": ctypes.c_uint32}


class Data(ctypes.Structure):
    """`tauten_data`: what members train on."""

    _fields_ = (
        ("inputs", ctypes.c_void_p),
        ("targets", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("n", ctypes.c_int64),
    )


class JobFields(ctypes.Structure):
    """`tauten_job`: what is to be done with a member."""

    _fields_ = (
        ("member", ctypes.c_void_p),
        ("data", ctypes.POINTER(Data)),
        ("steps", ctypes.c_int64),
        ("last", ctypes.c_int64),
        ("loss", ctypes.c_double),
        ("rows", ctypes.c_void_p),
        ("n", ctypes.c_int64),
        ("out", ctypes.c_void_p),
    )


class QueueFields(ctypes.Structure):
    """`tauten_queue`: jobs, and how far they are."""

    _fields_ = (
        ("jobs", ctypes.POINTER(JobFields)),
        ("size", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("done", ctypes.c_int64),
        ("stop", ctypes.c_int64),
    )


@functools.cache
def opened() -> ctypes.CDLL | None:
    """The library with the types of its functions."""
    lib = library()
    if lib is None:
        return None
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "tauten_plan_fields": (ctypes.c_char_p, []),
        "tauten_bf16": (ctypes.c_int64, []),
        "tauten_peak": (ctypes.c_double, [ctypes.c_double, ctypes.c_int]),
        "tauten_fill": (
            None,
            [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, *[ctypes.c_int64] * 3, ctypes.c_void_p],
        ),
        "tauten_bernoulli": (
            None,
            [
                *[ctypes.c_void_p] * 2,
                ctypes.c_uint32,
                ctypes.c_void_p,
                *[ctypes.c_int64] * 3,
                ctypes.c_void_p,
            ],
        ),
        "tauten_new": (ctypes.c_void_p, [ctypes.c_void_p]),
        "tauten_free": (None, [ctypes.c_void_p]),
        "tauten_size": (ctypes.c_int64, [ctypes.c_void_p]),
        "tauten_read": (None, [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]),
        "tauten_write": (None, [ctypes.c_void_p, ctypes.c_void_p]),
        "tauten_work": (ctypes.c_int64, [ctypes.POINTER(QueueFields)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def interface() -> ctypes.CDLL:
    """The library, where it is known to be there."""
    lib = opened()
    assert lib is not None, "asked for without `able`"
    return lib


@functools.cache
def fields() -> dict[str, str]:
    """Name and type of every field of a plan, as the library tells them."""
    described = interface().tauten_plan_fields().decode()
    return {name: kind for kind, name in (field.split() for field in described.split(";") if field)}


@functools.cache
def plan_type() -> type[ctypes.Structure]:
    """The library's `tauten_plan`."""
    own = tuple((name, TYPES[kind]) for name, kind in fields().items())
    return type("_Plan", (ctypes.Structure,), {"_fields_": own})
