"""Networks as people write them, small: what `tauten inspect` and a search must be able to take."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

ROWS, CLASSES = 40, 3
VECTORS, IMAGES, SEQUENCES = (6,), (3, 16, 16), (7, 5)


class DropPath(nn.Module):
    """As in timm: a row's residual branch is dropped."""

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty((len(x),) + (1,) * (x.ndim - 1)).bernoulli_(keep) / keep


def mlp() -> nn.Module:
    """With dropout of its own, after the activations and before the last layer."""
    first = (nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(*first, nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, CLASSES))


class LeNet(nn.Module):
    """LeCun et al. 1998, smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 5, padding=2), nn.Conv2d(4, 8, 5)
        self.fc1, self.fc2 = nn.Linear(32, 16), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = F.max_pool2d(F.relu(self.conv1(x)), 2)
        h = F.max_pool2d(F.relu(self.conv2(h)), 2).flatten(1)
        return self.fc2(torch.tanh(self.fc1(h)))


class BasicBlock(nn.Module):
    """He et al. 2016."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.shortcut(x))


class ResNet(nn.Module):
    """The CIFAR ResNet with one block a stage and few filters."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        widths = (width, width, 2 * width, 4 * width)
        self.stages = nn.Sequential(*(BasicBlock(a, b, 1 + (i > 0)) for i, (a, b) in enumerate(pairwise(widths))))
        self.head = nn.Linear(4 * width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(F.relu(self.bn(self.stem(x)))).mean((2, 3)))


class Attention(nn.Module):
    """As timm writes it, with torch's fused kernel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.attn_drop, self.proj_drop = nn.Dropout(0.1), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        h = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop.p if self.training else 0.0)
        return self.proj_drop(self.proj(h.transpose(1, 2).reshape(b, n, d)))


class ViTBlock(nn.Module):
    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.drop_path1, self.drop_path2 = Attention(width, 2), DropPath(drop_path), DropPath(drop_path)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path1(self.attn(self.norm1(x)))
        return x + self.drop_path2(self.mlp(self.norm2(x)))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, tiny."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, width) * 0.02)
        self.pos_drop = nn.Dropout(0.0)
        self.blocks = nn.Sequential(ViTBlock(width, 0.1), ViTBlock(width, 0.2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = self.patch(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.cls_token.expand(len(x), -1, -1), h], 1)
        return self.head(self.norm(self.blocks(self.pos_drop(h + self.pos_embed)))[:, 0])


class Transformer(nn.Module):
    """torch's own encoder as a classifier of sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x)).mean(1))


class Recurrent(nn.Module):
    """A recurrent classifier; torch can't map it over members."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.drop = nn.LSTM(5, 6, 2, batch_first=True, dropout=0.3), nn.Dropout(0.2)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.rnn(x)[0][:, -1]))


class Tied(nn.Module):
    """An autoencoder's two maps share one matrix, and the code is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.again, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)
        self.again.weight = self.encode.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.again(F.relu(self.encode(x)))))


class Reassigning(nn.Module):
    """A buffer that is replaced instead of changed."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, CLASSES)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.seen + 1
        return self.linear(x)


PRETRAINED = {k: v.clone() for k, v in ResNet().state_dict().items()}


def frozen_backbone() -> nn.Module:
    """A ResNet with given weights, of which only the head is trained."""
    net = ResNet()
    net.load_state_dict(PRETRAINED)
    net.requires_grad_(False)
    net.head = nn.Linear(16, CLASSES)
    return net


class Deciding(nn.Module):
    """Control flow that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        return self.last(h / 2 if h.mean() > 0 else h)


class Counting(Deciding):
    """A number taken out of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        return self.last(h * (1 + 0 * h.detach().sum().item()))


def weight_normed() -> nn.Module:
    return nn.Sequential(weight_norm(nn.Linear(6, 8)), nn.Tanh(), nn.Linear(8, CLASSES))


def spectral() -> nn.Module:
    return nn.Sequential(spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, CLASSES))


STACKED = {
    "mlp": (mlp, VECTORS),
    "lenet": (LeNet, IMAGES),
    "resnet": (ResNet, IMAGES),
    "vit": (ViT, IMAGES),
    "transformer": (Transformer, SEQUENCES),
    "tied": (Tied, VECTORS),
    "frozen backbone": (frozen_backbone, IMAGES),
}
SINGLE = {
    "lstm": (Recurrent, SEQUENCES),
    "control flow": (Deciding, VECTORS),
    "item": (Counting, VECTORS),
    "spectral norm": (spectral, VECTORS),
    "weight norm": (weight_normed, VECTORS),
}
