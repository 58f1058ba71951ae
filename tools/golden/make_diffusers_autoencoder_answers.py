"""Make tests/golden/diffusers_autoencoder.*: a small AutoencoderKL of diffusers, and what it answers.

Run once, with torch and diffusers installed: python tools/golden/make_diffusers_autoencoder_answers.py
``weights`` is the model in diffusers' own layout, in bfloat16 to be small; ``case`` holds an image (1, 3, h, w) in
[-1, 1], the ``mean`` of its posterior, another ``latent``, and that one ``decoded``, all computed in float32.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"


@torch.no_grad()
def main() -> None:
    """Write the two files."""
    torch.manual_seed(11)
    widths = (32, 64)
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths), up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths, layers_per_block=1, latent_channels=4, norm_num_groups=32,
        use_quant_conv=False, use_post_quant_conv=False,
    ).eval()  # fmt: skip
    for name, parameter in model.named_parameters():
        if "norm" in name:  # not all alike, so that none can be mistaken for another
            parameter.copy_(parameter + torch.randn_like(parameter) * 0.1)
        parameter.copy_(parameter.bfloat16().float())
    image = torch.rand(1, 3, 16, 24) * 2 - 1
    latent = torch.randn(1, 4, 8, 12)
    answers = {
        "image": image,
        "mean": model.encode(image).latent_dist.mean,
        "latent": latent,
        "decoded": model.decode(latent).sample,
    }
    weights = {name: tensor.bfloat16().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, GOLDEN / "diffusers_autoencoder.weights.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in answers.items()},
              GOLDEN / "diffusers_autoencoder.case.safetensors")  # fmt: skip


if __name__ == "__main__":
    main()
