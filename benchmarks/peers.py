"""What a person would train the same networks with: PyTorch loops, vmap, compiled PyTorch, JAX.

A contender is a generator: it sets everything up, then yields the work done (member-steps) after each visit, an epoch.
All train the same network on the same data as Tauten's members do: linear maps without bias before batch norm, ReLU,
dropout, smoothed labels, AdamW that decays matrices only, batches of 128 in an order that is new each epoch.
"""

import copy
import itertools
from collections.abc import Iterator

import torch
from lean_images import ConvNet
from ours import recipe
from shapes import BATCH, DECAY, DROPOUT, RATE, ROWS, SMOOTHING, Images, Shape
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def data(shape: Shape | Images) -> tuple[Tensor, Tensor]:
    """Training rows and class codes."""
    g = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, *shape.row, generator=g), torch.randint(shape.outputs, (ROWS,), generator=g)


def network(shape: Shape | Images) -> nn.Module:
    """The network as a module in training mode."""
    if isinstance(shape, Images):
        return ConvNet(shape.row, shape.outputs, recipe(shape), DROPOUT).train()
    layers: list[nn.Module] = []
    for inputs, outputs in shape.layers[:-1]:
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(*shape.layers[-1])).train()


def adamw(parameters: list[Tensor], matrix: int = 2) -> torch.optim.AdamW:
    """The fastest AdamW of torch (fused); only leaves of `matrix` axes decay."""
    decayed = [p for p in parameters if p.ndim >= matrix]
    others = [p for p in parameters if p.ndim < matrix]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, fused=True)


def lean(shape: Shape | Images, precision: str = "fp32", compiled: bool = False) -> Iterator[int]:
    """The loop that a careful engineer writes: data are tensors, one gather an epoch, fused AdamW, no `.item()`.

    bf16 is autocast; `compiled` compiles network and loss together.
    """
    (x, y), model = data(shape), network(shape)
    optimizer = adamw(list(model.parameters()))
    half = precision == "bf16"

    def objective(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return cross_entropy(model(x), y, label_smoothing=SMOOTHING)

    loss = torch.compile(objective) if compiled else objective
    while True:
        order = torch.randperm(ROWS)
        for rows, codes in zip(x[order].split(BATCH), y[order].split(BATCH), strict=True):
            optimizer.zero_grad()
            loss(rows, codes).backward()
            optimizer.step()
        yield ROWS // BATCH


def tutorial(shape: Shape) -> Iterator[int]:
    """The loop with `DataLoader` as tutorials write it: rows collated one by one, AdamW by default, a running loss."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data(shape)), batch_size=BATCH, shuffle=True)
    model, criterion = network(shape), nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    while True:
        running = 0.0
        for rows, codes in loader:
            optimizer.zero_grad()
            loss = criterion(model(rows), codes)
            loss.backward()
            optimizer.step()
            running += loss.item()
        yield ROWS // BATCH


def vmapped(shape: Shape | Images, members: int) -> Iterator[int]:
    """A stack of modules by `vmap` over `functional_call`; each member has its own masks and order of rows.

    The optimizer is torch's fused AdamW over the stacked leaves: the fastest one, at the price that all members share
    one learning rate (Tauten's have their own).
    """
    (x, y), models = data(shape), [network(shape) for _ in range(members)]
    weights, buffers = torch.func.stack_module_state(models)
    template = copy.deepcopy(models[0]).to("meta")

    def loss(w: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(torch.func.functional_call(template, (w, buffers), (x,)), y, label_smoothing=SMOOTHING)

    gradient = torch.func.vmap(torch.func.grad(loss), randomness="different")
    optimizer = adamw(list(weights.values()), matrix=3)
    while True:
        orders = torch.rand(members, ROWS).argsort(1)
        for rows in orders.split(BATCH, 1):
            with torch.no_grad():
                g = gradient({k: w.detach() for k, w in weights.items()}, buffers, x[rows], y[rows])
            for name, w in weights.items():
                w.grad = g[name]
            optimizer.step()
        yield members * (ROWS // BATCH)


def jaxed(shape: Shape, members: int) -> Iterator[int]:
    """JAX: one jitted program an epoch, `scan` over its steps, `vmap` over members, AdamW written out.

    The running averages of batch norm are left out, which is a little less work than the others do.
    """
    import jax
    import jax.numpy as jnp

    x, y = (jnp.asarray(v.numpy()) for v in data(shape))
    soft = jax.nn.one_hot(y, shape.outputs) * (1 - SMOOTHING) + SMOOTHING / shape.outputs

    def objective(w, x, y, key):
        for i, layer in enumerate(w[:-1]):
            h = x @ layer["w"]
            mean, variance = h.mean(0), h.var(0)
            h = jax.nn.relu((h - mean) * jax.lax.rsqrt(variance + 1e-5) * layer["scale"] + layer["shift"])
            keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - DROPOUT, h.shape)
            x = jnp.where(keep, h / (1 - DROPOUT), 0.0)
        return -(jax.nn.log_softmax(x @ w[-1]["w"] + w[-1]["shift"]) * y).sum(-1).mean()

    def step(carry, rows):
        w, m, v, t, key = carry
        key, own = jax.random.split(key)
        g = jax.grad(objective)(w, x[rows], soft[rows], own)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)

        def move(w, m, v):
            kept = w * (1 - RATE * DECAY) if w.ndim == 2 else w
            return kept - RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)

        return (jax.tree.map(move, w, m, v), m, v, t, key), None

    def epoch(carry):
        key, own = jax.random.split(carry[-1])
        order = jax.random.permutation(own, ROWS).reshape(-1, BATCH)
        return jax.lax.scan(step, (*carry[:-1], key), order)[0]

    def start(key):
        keys = jax.random.split(key, len(shape.layers))
        w = [
            {
                "w": jax.random.normal(k, (i, o)) * i**-0.5,
                "shift": jnp.zeros(o),
                **({"scale": jnp.ones(o)} if j < shape.depth else {}),
            }
            for j, (k, (i, o)) in enumerate(zip(keys, shape.layers, strict=True))
        ]
        zeros = jax.tree.map(jnp.zeros_like, w)
        return w, zeros, zeros, jnp.zeros(()), key

    run = jax.jit(jax.vmap(epoch), donate_argnums=0)
    carry = jax.vmap(start)(jax.random.split(jax.random.key(0), members))
    for _ in itertools.count():
        carry = jax.block_until_ready(run(carry))
        yield members * (ROWS // BATCH)
