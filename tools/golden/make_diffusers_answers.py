"""Make tests/golden/diffusers_flux.*: a small FluxTransformer2DModel of diffusers, and what it answers.

Run once, with torch and diffusers installed: python tools/golden/make_diffusers_answers.py
``weights`` is the model in diffusers' own layout; ``case`` holds packed tokens, context, pooled, t and guidance, the
``velocity`` of the plain model, and ``velocity_lora``, the velocity once ``lora`` (rank 2, PEFT's names, in every
linear layer, with alpha 3 in the header as diffusers saves it) is merged into the weights at strength 0.7.
"""

import json
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
ROWS, COLUMNS, TEXT = 4, 6, 5
RANK, ALPHA, STRENGTH = 2, 3.0, 0.7


def main() -> None:
    """Write the four files."""
    torch.manual_seed(7)
    model = FluxTransformer2DModel(
        in_channels=24, out_channels=8, num_layers=1, num_single_layers=2, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=12, pooled_projection_dim=10, guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # norms near 1, everything else large enough that no layer can be mistaken for another
            centre = 1.0 if ".norm_" in name and "linear" not in name else 0.0
            parameter.copy_(torch.randn_like(parameter) * 0.1 + centre)
    image_ids = torch.zeros(ROWS * COLUMNS, 3)
    image_ids[:, 1] = torch.arange(ROWS).repeat_interleave(COLUMNS)
    image_ids[:, 2] = torch.arange(COLUMNS).repeat(ROWS)
    inputs = {
        "tokens": torch.randn(1, ROWS * COLUMNS, 24),
        "context": torch.randn(1, TEXT, 12),
        "pooled": torch.randn(1, 10),
        "t": torch.tensor([0.6]),
        "guidance": torch.tensor([3.5]),
    }

    @torch.no_grad()
    def velocity() -> torch.Tensor:
        return model(
            hidden_states=inputs["tokens"], encoder_hidden_states=inputs["context"],
            pooled_projections=inputs["pooled"], timestep=inputs["t"], guidance=inputs["guidance"],
            img_ids=image_ids, txt_ids=torch.zeros(TEXT, 3), return_dict=False,
        )[0]  # fmt: skip

    answers = {"velocity": velocity()}
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lora: dict[str, torch.Tensor] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear):
            down = torch.randn(RANK, layer.in_features) * 0.2
            up = torch.randn(layer.out_features, RANK) * 0.2
            lora |= {f"transformer.{name}.lora_A.weight": down, f"transformer.{name}.lora_B.weight": up}
            layer.weight.data += STRENGTH * ALPHA / RANK * up @ down
    answers["velocity_lora"] = velocity()

    save_file(weights, GOLDEN / "diffusers_flux.weights.safetensors")
    save_file(inputs | answers, GOLDEN / "diffusers_flux.case.safetensors")
    settings = json.dumps({"transformer.r": RANK, "transformer.lora_alpha": ALPHA})
    save_file(lora, GOLDEN / "diffusers_flux.lora.safetensors", metadata={"lora_adapter_metadata": settings})
    config = {
        "in_channels": 24, "out_channels": 8, "hidden_size": 32, "num_heads": 2, "axes_dim": [4, 6, 6],
        "theta": 10000, "vec_in_dim": 10, "context_in_dim": 12, "mlp_ratio": 4.0, "qkv_bias": True, "depth": 1,
        "depth_single_blocks": 2, "guidance_embed": True, "rows": ROWS, "columns": COLUMNS,
    }  # fmt: skip
    (GOLDEN / "diffusers_flux_config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
