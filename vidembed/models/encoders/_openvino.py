"""OpenVINO as the CPU engine of a torch image tower: bfloat16 where the CPU has it and it agrees with torch.

Measured by benchmarks/image_tower.py: several times torch float32 on CPUs with AVX512-BF16 or AMX.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.errors import MissingDependency
from vidembed.models.encoders._engines import Compiled, available, package
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

PIECE = 4  # pictures of a batch computed at once, at most: their intermediate values stay small, and near the core
AGREEMENT = 0.999  # smallest cosine with torch float32 at which a faster precision may be used by default
_FORM = 2  # of what `_translated` makes; raised when that changes, so that towers kept before are made anew
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where converted towers are kept: $VIDEMBED_CACHE, or vidembed/ in the user's cache folder."""
    root = os.environ.get("VIDEMBED_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidembed"
    return base / "openvino"


@dataclass(frozen=True)
class CpuTower:
    """A compiled tower. Called with (N, 3, H, W) float32, gives (N, D) float32."""

    compiled: Compiled
    precision: str  # "float32", "bfloat16", "float16"
    agreement: float  # smallest cosine with torch float32 on the probe

    def __call__(self, pixels: Tensor) -> Tensor:
        return torch.from_numpy(self.compiled(pixels.numpy())[0])


def compile_tower(
    tower: nn.Module, size: tuple[int, int], *, dtype: str = "auto", cache: Path | None = None
) -> CpuTower:
    """Compile an image tower, (N, 3, *size) float32 -> (N, D), in the fastest precision that agrees with it.

    Args:
        tower: In float32, on the CPU.
        size: Height and width of its pictures, in pixels.
        dtype: "auto": the CPU's own half precision where the smallest cosine with float32 on probe pictures is at least
            AGREEMENT, else float32. A named dtype is taken as it is.
        cache: Folder for converted towers, each under a hash of its weights; None: cache_folder().

    Raises:
        MissingDependency: Without the package openvino.
        ConfigError: For an unknown dtype.
    """
    if not available():
        raise MissingDependency(
            "engine openvino needs the package 'openvino', which is not installed", hint="pip install openvino"
        )
    path = _converted(tower, size, cache or cache_folder())
    more = {"CACHE_DIR": str((cache or cache_folder()) / "compiled"), "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    probe = _probe(size)
    reference: np.ndarray[Any, Any] | None = None
    for precision in _precisions(dtype):
        candidate = CpuTower(Compiled(path, dtype=precision, piece=PIECE, more=more), precision, 1.0)
        if reference is None:
            with torch.inference_mode():
                reference = unit_rows(tower(probe).numpy())
        agreement = _agreement(candidate, probe, reference)
        if dtype != "auto" or precision == "float32" or agreement >= AGREEMENT:
            return replace(candidate, agreement=agreement)
        _log.info("OpenVINO %s agrees with float32 to %.5f only; trying the next precision", precision, agreement)
    raise AssertionError("float32 is always the last choice")


def _precisions(dtype: str) -> list[str]:
    if dtype != "auto":
        return [dtype]
    able = package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    half = {"bfloat16": "BF16", "float16": "FP16"}
    return [*[name for name, theirs in half.items() if theirs in able][:1], "float32"]


def _agreement(candidate: Callable[[Tensor], Tensor], probe: Tensor, reference: np.ndarray[Any, Any]) -> float:
    output = candidate(probe).numpy()
    if not np.all(np.isfinite(output)):
        return -1.0
    return float((unit_rows(output) * reference).sum(axis=1).min())


def _probe(size: tuple[int, int]) -> Tensor:
    """(4, 3, *size): noise, a slope each way, stripes: what is smooth and what is not."""
    rows = torch.linspace(-1.5, 1.5, size[0]).view(1, -1, 1).expand(3, *size)
    columns = torch.linspace(1.5, -1.5, size[1]).view(1, 1, -1).expand(3, *size)
    noise = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    return torch.stack([noise, rows, columns, torch.sign(torch.sin(40 * rows + 20 * columns))]).contiguous()


def _converted(tower: nn.Module, size: tuple[int, int], cache: Path) -> Path:
    """The tower as an OpenVINO file, converted once per set of weights."""
    version = str(package().__version__)
    path = cache / f"{_digest(tower, size, version)}.xml"
    if path.is_file() and path.with_suffix(".bin").is_file() and path.with_suffix(".json").is_file():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    model = _translated(tower, size)
    # Written under another name and renamed, so that a killed or parallel run leaves no half file; the note is last.
    for suffix, temporary in _save(model, path).items():
        temporary.replace(path.with_suffix(suffix))
    note = {"openvino": version, "torch": torch.__version__, "size": list(size)}
    path.with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
    return path


def _translated(tower: nn.Module, size: tuple[int, int]) -> Any:
    """The tower as an OpenVINO model for any batch size."""
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # it still traces with torch.jit
        return package().convert_model(_depthwise(tower), example_input=_probe(size)[:2], input=[-1, 3, *size])


def _depthwise(module: nn.Module) -> nn.Module:
    """A copy in which a convolution that gives m > 1 outputs per input channel is m depthwise ones.

    The sums are the same. OpenVINO has a fast kernel for depthwise convolutions and a slow one for the others: a tenth
    of MobileCLIP2-S0's time.
    """
    if isinstance(module, torch.nn.Conv2d) and module.out_channels > module.in_channels == module.groups > 1:
        return _Depthwise(module)
    other = copy.copy(module)
    other._modules = {name: child and _depthwise(child) for name, child in module._modules.items()}
    return other


class _Depthwise(torch.nn.Module):
    """(N, C, H, W) -> (N, C m, H', W'); output channel c m + j is input channel c under its j-th kernel."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        count = conv.out_channels // conv.in_channels
        self.parts = torch.nn.ModuleList(_part(conv, j, count) for j in range(count))

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.stack([part(pixels) for part in self.parts], dim=2).flatten(1, 2)


def _part(conv: nn.Conv2d, j: int, count: int) -> nn.Conv2d:
    part = copy.copy(conv)
    part.out_channels = conv.in_channels
    bias = None if conv.bias is None else torch.nn.Parameter(conv.bias[j::count], requires_grad=False)
    part._parameters = {"weight": torch.nn.Parameter(conv.weight[j::count], requires_grad=False), "bias": bias}
    return part


def _save(model: Any, path: Path) -> dict[str, Path]:
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.xml")
    package().save_model(model, temporary, compress_to_fp16=False)
    return {".bin": temporary.with_suffix(".bin"), ".xml": temporary}


def _digest(tower: nn.Module, size: tuple[int, int], version: str) -> str:
    made_of = f"{_FORM}:{type(tower).__name__}:{size}:{version}:{torch.__version__}"
    digest = hashlib.blake2b(made_of.encode(), digest_size=16)
    digest.update(repr(tower).encode())
    for name, value in sorted(tower.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
