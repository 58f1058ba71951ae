"""Make the known answers of the tiny autoencoder with diffusers' AutoencoderTiny, on random weights.

Run once, with torch and diffusers installed:  python tools/golden/make_tiny_autoencoder_answers.py
Writes tests/golden/tiny_autoencoder.safetensors: the weights under their released names (``decoder.`` counts the
clamp as layer 0), an image (1, 3, h, w) in [-1, 1], its latent, another latent, and that one decoded.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"

if __name__ == "__main__":
    torch.manual_seed(5)
    channels = (8, 8, 8, 8)
    model = AutoencoderTiny(
        encoder_block_out_channels=channels, decoder_block_out_channels=channels, latent_channels=4
    ).eval()
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        part, _, index, rest = name.split(".", 3)
        tensors[f"weights.{part}.{int(index) + (part == 'decoder')}.{rest}"] = tensor.clone()
    image = torch.rand(1, 3, 40, 56) * 2 - 1
    latent = torch.randn(1, 4, 5, 7) * 3
    with torch.no_grad():
        answers = {
            "image": image,
            "encoded": model.encode(image).latents,
            "latent": latent,
            "decoded": model.decode(latent).sample,
        }
    save_file({**tensors, **answers}, GOLDEN / "tiny_autoencoder.safetensors")
