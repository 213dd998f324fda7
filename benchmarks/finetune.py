"""Fine-tuning on few images: a network that learnt one half of the classes, searched on 500 images of the other half.

    python benchmarks/finetune.py --images DIR [--budget 4m] [--threads 2]

DIR holds the IDX files of a set with ten classes, such as Fashion-MNIST. A small residual network is trained on all
training images of classes 0 to 4. Then `tauten.search` fine-tunes it to classes 5 to 9: 500 of the training images, and
1,000 test images of these classes as the holdout; once from the pretrained weights, and once from scratch, in the same
time. So few trainings fit that the search is a ladder.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from stacking import Residual
from torch import Tensor, nn

import tauten
from tauten.data.idx import load_idx
from tauten.show import Live

ROWS, TEST, HALF, EPOCHS = 500, 1000, 5, 2


def network() -> nn.Sequential:
    """28 × 28 pixels to five classes."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), Residual(8), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), Residual(16),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, HALF),
    )  # fmt: skip


def pretrain(images: np.ndarray, labels: np.ndarray) -> dict[str, Tensor]:
    """Weights less the last layer's, after a few epochs of Adam."""
    torch.manual_seed(0)
    net, batch = network(), 128
    x = torch.from_numpy((images - images.mean()) / images.std()).float()[:, None]
    y = torch.from_numpy(labels).long()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return {k: v.clone() for k, v in net.state_dict().items() if not k.startswith("8.")}


def halves(folder: str) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """All training images of the first classes; and the archive to search: few of the other classes, and their test."""
    parts = load_idx(folder)
    first = parts.train_labels < HALF
    few = np.random.default_rng(0).permutation(np.flatnonzero(~first))[:ROWS]
    test = np.flatnonzero(parts.test_labels >= HALF)[:TEST]
    return (parts.train_images[first], parts.train_labels[first]), {
        "x_train": parts.train_images[few],
        "y_train": parts.train_labels[few],
        "x_test": parts.test_images[test],
        "y_test": parts.test_labels[test],
    }


def line(name: str, arm: Mapping[str, Any]) -> str:
    """An arm's accuracy on the test images, with its interval."""
    own, techniques = arm["holdout"]["accuracy"], " + ".join(arm["techniques"]) or "no technique"
    return f"| {name} | {own['mean']:.4f} ({own['low']:.4f} to {own['high']:.4f}) | {techniques} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, help="folder of IDX files")
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    known, archive = halves(asked.images)
    begin = time.perf_counter()
    weights = pretrain(*known)
    print(f"pretrained on {len(known[1]):,} images in {time.perf_counter() - begin:.0f} s", flush=True)

    def pretrained() -> nn.Module:
        """The network that knows the other classes; its last layer starts anew."""
        net = network()
        net.load_state_dict(weights, strict=False)
        return net

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "few.npz"
        np.savez(path, allow_pickle=False, **archive)
        for name, build in (("pretrained", pretrained), ("from scratch", network)):
            with Live(Console(), asked.budget) as live:
                found = tauten.search(
                    path, model=build, budget=asked.budget, threads=asked.threads, watch=live
                ).evidence
            print(f"\n{name}: {found['verdict']['sentence']}")
            print(f"sampler {found['sampler']}, {found['engine']}, {found['trials']} recipes raced, {found['plan']}")
            print(f"{found['seconds']}\n\n| | accuracy on {found['n_holdout']:,} test images | |\n|---|---|---|")
            print("\n".join(line(f"{name}, {arm}", found[arm]) for arm in ("plain", "usual", "chosen")), flush=True)
