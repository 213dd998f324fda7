"""The parameters of a module by kind: which of them penalties and decay act on, and why not on the others."""

from torch import nn
from torch.nn.utils.parametrizations import _WeightNorm

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
DECAYS = "decays"
FROZEN = "frozen"


def kinds_of(module: nn.Module) -> dict[str, str]:
    """Each parameter's kind by its first name: `decays`, or why not: `frozen`, `norm`, `bias`, `added`, `length`.

    What decays multiplies: trained matrices and filters, an embedding's table too, which is the matrix of a one-hot
    input. `bias` are all others of one axis. `added` are a module's own parameters of leading axis 1, such as a
    position's or a class token's: the same for every row, as a bias is. `length` is the factor of weight norm.

    >>> kinds_of(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)))
    {'0.weight': 'decays', '0.bias': 'bias', '1.weight': 'norm', '1.bias': 'norm'}
    """
    owners = {id(p): m for m in module.modules() for p in m.parameters(recurse=False)}
    lengths = {id(p) for p in _lengths(module)}
    found = {}
    for name, p in module.named_parameters():
        owner = owners[id(p)]
        if not p.requires_grad:
            found[name] = FROZEN
        elif isinstance(owner, NORMS):
            found[name] = "norm"
        elif id(p) in lengths:
            found[name] = "length"
        elif p.ndim < 2:
            found[name] = "bias"
        elif len(p) == 1 and not type(owner).__module__.startswith("torch.nn."):
            found[name] = "added"
        else:
            found[name] = DECAYS
    return found


def kernels_of(module: nn.Module) -> dict[str, int]:
    """The weights that a penalty or decay acts on, each with the axis of its units.

    It is the first, as in all of torch's layers (an embedding's units are its words), but transposed convolutions',
    whose second it is.
    """
    turned = {
        id(p)
        for m in module.modules()
        if isinstance(m, nn.modules.conv._ConvTransposeNd)
        for p in m.parameters(recurse=False)
    }
    kinds = kinds_of(module)
    return {k: int(id(p) in turned) for k, p in module.named_parameters() if kinds[k] == DECAYS}


def tied(module: nn.Module) -> dict[str, str]:
    """The further names of parameters that stand under several, each with the first one."""
    first: dict[int, str] = {}
    every = module.named_parameters(remove_duplicate=False)
    return {name: first[id(p)] for name, p in every if first.setdefault(id(p), name) != name}


def _lengths(module: nn.Module) -> list[nn.Parameter]:
    normed = [m for m in module.modules() if isinstance(m, nn.utils.parametrize.ParametrizationList)]
    return [p for m in normed if isinstance(m[0], _WeightNorm) for k, p in m.named_parameters() if k == "original0"]
