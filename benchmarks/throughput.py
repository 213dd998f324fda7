"""Member-steps a second, and the share of the machine's own peak: Tauten beside what else a person could run.

    python benchmarks/throughput.py run [--only wide-64] [--again]
    python benchmarks/throughput.py table

A part is one network with one number of members; in it all contenders take turns (median of three stretches of at least
a second), so that its ratios come from one run. Close other programs first.
"""

import importlib.util
import os
import statistics
import sys
from typing import Any

import limits
import ours
import peers
import variants
from pace import Contender, interleaved
from record import FIGURES, command, cores, load, missing, save, sentence
from shapes import BATCH, DROPOUT, IMAGES, ROWS, SHAPES, SMOOTHING, Images, Shape

NAME = "throughput"
MEMBERS = (1, 8, 64, 256)
FEW = (1, 8)
"""Members of convnets, which are trained one by one."""
PARTS: dict[str, tuple[Shape | Images, int]] = {
    **{f"{key}-{members:03}": (shape, members) for key, shape in SHAPES.items() for members in MEMBERS},
    **{f"images-{members:03}": (IMAGES, members) for members in FEW},
}
NETS = {**SHAPES, "images": IMAGES}
REPEATS, SECONDS = 3, 1.0
PEER = "lean, one process per core"
"""The contender that ratios are taken against."""
TARGETS = {
    "native": {"small": 9.0, "middle": 4.5, "wide": 2.3},
    "native, bf16": {"small": 14.0, "middle": 7.0, "wide": 4.3},
    "stacked": {"small": 1.0, "middle": 1.0, "wide": 1.0},
}
SHARE = 0.7
"""Target for the share of one core's peak that the native engine reaches on it in fp32."""
PEAKS = {"fp32": "peak of one core", "bf16": "peak of one core, bf16"}
PRODUCTS = {"fp32": "torch.mm on one core", "bf16": "torch.mm on one core, bf16"}
HEAD = f"""## Throughput

Member-steps a second of populations of equal members: batches of {BATCH} out of {ROWS:,} rows, batch norm, ReLU,
dropout {DROPOUT}, label smoothing {SMOOTHING}, AdamW with decay, no skip connections. *native* and *stacked* are
Tauten's engines, on all cores unless said otherwise. *lean* is a PyTorch loop written with care (data are tensors, one
gather an epoch, fused AdamW, nothing read back), one member after the other; *DataLoader* is the loop of tutorials;
*vmap* is `torch.func.functional_call` over stacked modules with fused AdamW over the stack, its members shared out
where there is one process per core. Peers have torch's default number of threads, or one thread in each process.
Convnets ({IMAGES.name}) have Tauten's recipe, and Tauten trains them one by one on torch's convolutions (*one by one*).

× is against *{PEER}* in fp32. The share of peak is that of each core used: the operations of the
matrix products only, 2·B·(3·Σ in·out − in₀·out₀) a step, against a loop of nothing but multiply-adds on one core. Each
column is one run in which all contenders took turns; medians of {REPEATS} stretches of {SECONDS:.0f} s or more. Made by

    python benchmarks/throughput.py run
"""


def convnets(members: int) -> dict[str, Contender]:
    """What a part of convnets measures; Tauten trains them one by one, on torch's convolutions."""
    all_cores, found = cores(), {}
    for precision in ours.precisions():
        end = "" if precision == "fp32" else f", {precision}"
        found[f"one by one{end}"] = Contender(ours.population, (IMAGES, members, all_cores, False, precision))
        if ours.library():
            found[PEAKS[precision]] = Contender(ours.peak, (precision,))
    for precision, end in (("fp32", ""), ("bf16", ", bf16 autocast")):
        found[f"lean, default threads{end}"] = Contender(peers.lean, (IMAGES, precision), threads=None)
        found[f"{PEER}{end}"] = Contender(peers.lean, (IMAGES, precision), processes=all_cores)
    if members > 1:
        each = -(-members // all_cores)
        found["vmap, default threads"] = Contender(peers.vmapped, (IMAGES, members), threads=None)
        found["vmap, one process per core"] = Contender(peers.vmapped, (IMAGES, each), processes=all_cores)
    return found


def contenders(shape: Shape | Images, members: int) -> dict[str, Contender]:
    """Everything that a part measures, peaks of the machine included."""
    if isinstance(shape, Images):
        return convnets(members)
    all_cores = cores()
    found = {}
    if ours.library():
        for precision in ours.precisions():
            end = "" if precision == "fp32" else f", {precision}"
            found[f"native{end}"] = Contender(ours.population, (shape, members, all_cores, True, precision))
            if members <= 64:
                found[f"native, one core{end}"] = Contender(ours.population, (shape, members, 1, True, precision))
            found[PEAKS[precision]] = Contender(ours.peak, (precision,))
    found["stacked"] = Contender(ours.population, (shape, members, all_cores, False))
    for precision in ours.PRECISIONS:
        found[PRODUCTS[precision]] = Contender(ours.product, (shape, precision))
    found["lean, default threads"] = Contender(peers.lean, (shape,), threads=None)
    found[PEER] = Contender(peers.lean, (shape,), processes=all_cores)
    if members == 64:
        found[f"{PEER}, bf16 autocast"] = Contender(peers.lean, (shape, "bf16"), processes=all_cores)
        found[f"{PEER}, compiled"] = Contender(peers.lean, (shape, "fp32", True), processes=all_cores)
        found["DataLoader"] = Contender(peers.tutorial, (shape,), threads=None)
        if importlib.util.find_spec("jax"):
            found["JAX, jit + vmap + scan"] = Contender(peers.jaxed, (shape, members), threads=None)
    if members in (8, 64):
        found["vmap, default threads"] = Contender(peers.vmapped, (shape, members), threads=None)
        each = -(-members // all_cores)
        found["vmap, one process per core"] = Contender(peers.vmapped, (shape, each), processes=all_cores)
    return found


def run(only: str, again: bool) -> None:
    """Measure the parts asked for, each written when it is finished."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TAUTEN_NATIVE"):
        os.environ.pop(variable, None)
    for part in missing(NAME, list(PARTS), only, again):
        shape, members = PARTS[part]
        print(part, end=" … ", flush=True, file=sys.stderr)
        load_before = os.getloadavg()[0]
        rates = interleaved(contenders(shape, members), REPEATS, SECONDS)
        figures = {"net": shape.name, "members": members, "flops": shape.flops, "engine": ours.engine()}
        save(
            NAME, part, {**figures, "load": round(load_before, 2), "rates": rates}, ("tauten", "torch", "numpy", "jax")
        )
        print({name: round(statistics.median(own)) for name, own in rates.items()}, file=sys.stderr)


def medians(part: dict[str, Any]) -> dict[str, float]:
    """The median rate of every contender of a part."""
    return {name: statistics.median(own) for name, own in part["rates"].items()}


def share(part: dict[str, Any], name: str, precision: str = "fp32") -> float | None:
    """Share of a core's multiply-add peak that a contender reaches on each core; None where it wasn't measured."""
    rates = medians(part)
    if name not in rates or PEAKS[precision] not in rates:
        return None
    used = 1 if "one core" in name else part["made"]["machine"]["cores"]
    return rates[name] * part["flops"] / used / rates[PEAKS[precision]]


def table(key: str, found: dict[str, dict[str, Any]]) -> list[str]:
    """One network: rates of all contenders by members; × and share of peak at 64 members, of convnets at 8."""
    at = FEW[-1] if key == "images" else 64
    columns = {members: found[f"{key}-{members:03}"] for members in MEMBERS if f"{key}-{members:03}" in found}
    rates = {members: medians(part) for members, part in columns.items()}
    names = dict.fromkeys(name for own in rates.values() for name in own if name not in _machine_rates())
    lines = [f"### {NETS[key].name}", "", f"| members | {' | '.join(map(str, columns))} | × at {at} | share of peak |"]
    lines.append("|---" * (len(columns) + 3) + "|")
    for name in names:
        cells = [f"{own[name]:,.0f}" if name in own else "" for own in rates.values()]
        ratio = f"{rates[at][name] / rates[at][PEER]:.2f}" if name in rates.get(at, {}) else ""
        reached = share(columns[at], name, "bf16" if "bf16" in name else "fp32") if at in columns else None
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} | {'' if reached is None else f'{reached:.0%}'} |")
    told = [
        f"{name} {statistics.median(own[name] for own in rates.values()) / 1e9:,.0f} GFLOP/s"
        for name in _machine_rates()
        if all(name in own for own in rates.values())
    ]
    load_average = max(part["load"] for part in columns.values())
    absent = "" if key == "images" or any("JAX" in name for name in names) else " JAX was not installed."
    where = sentence(list(columns.values()))
    return [*lines, "", f"{'; '.join(told)}.{absent} {where}; load before at most {load_average:.1f}.", ""]


def verdicts(found: dict[str, dict[str, Any]]) -> list[str]:
    """Every target beside what was reached, at 64 members."""
    lines = ["### Targets at 64 members", "", "| target | net | wanted | reached | |", "|---|---|---|---|---|"]
    rows: list[tuple[str, str, float, float | None, str]] = []
    for key, shape in SHAPES.items():
        part = found.get(f"{key}-064")
        rates = medians(part) if part else {}
        for name, wanted in TARGETS.items():
            reached = rates[name] / rates[PEER] if name in rates else None
            rows.append((f"{name} ÷ {PEER}", shape.name, wanted[key], reached, ".2f"))
        for name in ("vmap, default threads", "vmap, one process per core"):
            reached = rates["stacked"] / rates[name] if name in rates else None
            rows.append((f"stacked ÷ {name}", shape.name, 1.0, reached, ".2f"))
        one = share(part, "native, one core") if part else None
        rows.append(("native, one core: share of its peak", shape.name, SHARE, one, ".0%"))
    for name, net, wanted, reached, form in sorted(rows, key=lambda row: row[0]):
        told = "not measured" if reached is None else format(reached, form)
        met = "" if reached is None else "met" if reached >= wanted else "missed"
        lines.append(f"| {name} | {net} | ≥ {format(wanted, form)} | {told} | {met} |")
    return [*lines, ""]


def section() -> str:
    """The part of docs/performance.md; empty where nothing was measured."""
    found = load(NAME)
    parts = {name: part for name, part in found.items() if name in PARTS}
    if not parts:
        return ""
    keys = [key for key in NETS if any(name.startswith(key) for name in parts)]
    lines = [
        HEAD,
        *(line for key in keys for line in table(key, parts)),
        *verdicts(parts),
        *variants.table(found),
        *limits.table(found),
    ]
    notes = FIGURES / NAME / "notes.md"
    if notes.exists():
        lines += [notes.read_text().strip(), ""]
    return "\n".join(lines)


def _machine_rates() -> tuple[str, ...]:
    return (*PEAKS.values(), *PRODUCTS.values())


if __name__ == "__main__":
    command(__doc__, run, section, "parts whose names hold one of these")
