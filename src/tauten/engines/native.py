"""Native: the built-in network on a CPU, trained by compiled code, one member per thread.

A member's weights live in the library; whoever calls `Queue.work` from a thread of their own trains members there until
none is left, outside of Python's lock. The mathematics and the draws are those of the other engines (law 9); what a
technique needs for it, its own file declares under `kernel`.
"""

import ctypes
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from tauten.draws import site_hash
from tauten.engines.slots import Resident, check_layers
from tauten.member import Delivered, Group, Member
from tauten.native.interface import EACH, TYPES, Data, JobFields, QueueFields, fields, interface, opened, plan_type
from tauten.nets.mlp import ACTIVATIONS, MLP
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Kernel, Technique

LOSSES = {"regression": 0, "classification": 1, "multilabel": 2}
"""The library's number for the loss of a task."""


def able(recipe: Recipe) -> bool:
    """Whether this machine has a library, and the library has code for all that the recipe does."""
    return opened() is not None and all(_known(t.kernel()) for t in recipe.techniques)


def bf16() -> bool:
    """Whether this machine can take products in bfloat16."""
    return bool(opened() is not None and interface().tauten_bf16())


def _known(kernel: Kernel | None) -> bool:
    return kernel is not None and kernel.keys() <= fields().keys()


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """Train a member for so many steps and evaluate it on `rows` (R,) of its own data; forget it if `last`."""

    engine: "NativeEngine"
    member: int
    steps: int
    rows: Tensor | None = None
    last: bool = False


class Queue:
    """Jobs that any number of threads may work on; each is done by one of them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        # Longest first, so that the last to finish is a short one.
        self._todo = sorted(jobs, key=lambda job: -job.steps)
        self._jobs = (JobFields * len(jobs))()
        self._rows: list[Tensor] = []
        self.outputs: dict[int, Tensor] = {}
        for job, own in zip(self._todo, self._jobs, strict=True):
            own.member, own.data = job.engine.handle(job.member), ctypes.pointer(job.engine.data(job.member))
            own.steps, own.last = job.steps, job.last
            if job.rows is not None:
                rows, out = job.rows.to(torch.int64).contiguous(), torch.empty(len(job.rows), job.engine.outputs)
                own.rows, own.n, own.out = rows.data_ptr(), len(rows), out.data_ptr()
                self.outputs[job.member] = out
                self._rows.append(rows)
        self._queue = QueueFields(self._jobs, len(jobs), 0, 0, 0)

    def __len__(self) -> int:
        return len(self._todo)

    def work(self) -> None:
        """Train members until none is left."""
        if interface().tauten_work(ctypes.byref(self._queue)):
            raise MemoryError("there is not enough memory for the activations of one more thread; use fewer threads.")

    def stop(self) -> None:
        """Let every thread return after the step at hand."""
        self._queue.stop = 1

    @property
    def done(self) -> int:
        """Gradient evaluations so far."""
        return int(self._queue.done)

    def losses(self) -> dict[int, float]:
        """Mean training loss over the steps, by member."""
        return {job.member: float(own.loss) for job, own in zip(self._todo, self._jobs, strict=True)}


class NativeEngine:
    """Members of one group; see `tauten.engines.protocol.Engine`. They train beside other groups'."""

    def __init__(self, group: Group, net: MLP, data: Resident, precision: str = "fp32") -> None:
        self.outputs = net.outputs
        self._precision = precision
        self._group, self._net, self._data = group, net, data
        self._held: dict[int, Member] = {}
        self._handles: dict[int, int] = {}
        self._sources: dict[int, Data] = {}

    def admit(self, members: Sequence[Member]) -> None:
        """Take members in, at step 0."""
        for member in members:
            check_layers(member, self._net.layers)
        for member in members:
            # The plan points into arrays that only need to live until the library has copied them.
            plan, arrays = self._planned(member)
            handle = interface().tauten_new(ctypes.byref(plan))
            del arrays
            if not handle:
                raise MemoryError(f"there is not enough memory for member {member.id}; train fewer at once.")
            self._handles[member.id], self._held[member.id] = handle, member

    def run(self, steps: int) -> dict[int, float]:
        """Train every member for so many steps; mean training loss by member id."""
        return self._alone(Queue([Job(self, id, steps) for id in self._held])).losses()

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the delivered weights on the named members' own rows."""
        return self._alone(Queue([Job(self, id, 0, own) for id, own in rows.items()])).outputs

    def extract(self, member: int, delivered: bool = True) -> Delivered:
        """A copy of a member's delivered weights and buffers, or of those it stands at."""
        flat = torch.empty(interface().tauten_size(self.handle(member)))
        interface().tauten_read(self.handle(member), delivered, flat.data_ptr())
        shapes = self._net.parts
        sizes = [shape.numel() for shape, _ in shapes.values()]
        pieces = dict(zip(shapes, torch.split(flat, sizes), strict=True))
        w, buffers = (
            {k: pieces[k].reshape(shape).clone() for k, (shape, own) in shapes.items() if own == is_buffer}
            for is_buffer in (False, True)
        )
        return Delivered(w, buffers)

    def insert(self, member: int, weights: Delivered) -> None:
        """Set a member's weights and buffers."""
        tree = weights.w | weights.buffers
        flat = torch.cat([tree[name].reshape(-1) for name in self._net.parts]).to(torch.float32).contiguous()
        interface().tauten_write(self.handle(member), flat.data_ptr())

    def evict(self, members: Iterable[int]) -> None:
        """Let members go."""
        for id in members:
            interface().tauten_free(self._handles.pop(id))
            del self._held[id]

    def __del__(self) -> None:
        for handle in self._handles.values():
            interface().tauten_free(handle)

    def handle(self, member: int) -> int:
        """The library's own name of a member."""
        return self._handles[member]

    def data(self, member: int) -> Data:
        """Where a member's rows lie."""
        source = self._held[member].source
        if source not in self._sources:
            # The library reads plain memory, so what torch would see for itself is seen to here.
            data, rows = self._data, self._data.train_rows[source]
            floats = [data.inputs(self._group.numeric), data.targets, *([] if data.weights is None else [data.weights])]
            assert all(tensor.is_contiguous() for tensor in (*floats, rows))
            assert {tensor.dtype for tensor in floats} == {torch.float32}
            assert rows.dtype == torch.int64
            at = [data.input_offset[source], data.target_offset[source], data.target_offset[source]]
            starts = [tensor[int(first) :].data_ptr() for tensor, first in zip(floats, at, strict=False)]
            inputs, targets, weights = (*starts, None)[:3]
            self._sources[source] = Data(inputs, targets, weights, rows.data_ptr(), len(rows))
        return self._sources[source]

    @staticmethod
    def _alone(queue: Queue) -> Queue:
        queue.work()
        return queue

    def _planned(self, member: Member) -> tuple[ctypes.Structure, list[object]]:
        setting, net = member.recipe.setting, self._net
        layers = [*(f"hidden{i}" for i in range(net.layers)), "out"]
        values: dict[str, object] = {
            "inputs": net.inputs,
            "outputs": net.outputs,
            "width": setting.width,
            "depth": setting.depth,
            "batch": self._group.batch_size,
            "activation": list(ACTIVATIONS).index(setting.activation),
            "skip": setting.skip,
            "loss": LOSSES[self._group.task],
            "adam": self._group.optimizer == "adam",
            "schedule": Setting.choices()["schedule"].options.index(setting.schedule),
            "bf16": self._precision == "bf16",
            "length": setting.epochs * self._group.epoch_steps,
            "seed": member.seed,
            "learning_rate": setting.learning_rate,
            "momentum": setting.momentum,
            "order_site": site_hash("order"),
            "weight_sites": tuple(site_hash(f"init/{name}.weight") for name in layers),
            "bias_sites": tuple(site_hash(f"init/{name}.bias") for name in layers),
        }
        for technique in member.recipe.techniques:
            bound = technique.with_values(self._data.learned(type(technique), member.source))
            values |= self._declared(bound)
        arrays: list[object] = []
        plan = plan_type()()
        for name, value in values.items():
            each = EACH.get(fields()[name])
            if each is not None:
                assert isinstance(value, tuple)
                arrays.append(array := (each * len(value))(*value))
                value = ctypes.cast(array, TYPES[fields()[name]])
            setattr(plan, name, value)
        return plan, arrays

    def _declared(self, technique: Technique) -> dict[str, object]:
        """A technique's kernel as fields of the plan: places become sites, one number for all layers one for each."""
        declared: dict[str, object] = {}
        kernel = technique.kernel()
        assert kernel is not None
        for name, value in kernel.items():
            layered = fields()[name] in EACH
            if isinstance(value, str):
                paths = [
                    f"step/{technique.name}/{value.format(layer=i)}" for i in range(self._net.layers if layered else 1)
                ]
                declared[name] = tuple(map(site_hash, paths)) if layered else site_hash(paths[0])
            elif layered and not isinstance(value, tuple):
                declared[name] = (value,) * self._net.layers
            else:
                declared[name] = value
        return declared
