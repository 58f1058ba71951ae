"""Make the known answers of the text encoders and tokenizers with transformers' own classes, on random weights.

Run once, with torch and transformers installed:  python tools/golden/make_text_answers.py
Writes tests/golden/t5.safetensors, clip_*.safetensors, text_configs.json and tokens.json.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)
from transformers.models.t5.modeling_t5 import T5Attention

TESTS = Path(__file__).parents[2] / "tests"
GOLDEN = TESTS / "golden"
T5 = {
    "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4, "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128, "vocab_size": 64, "layer_norm_epsilon": 1e-6,
}  # fmt: skip
CLIP = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 64,
    "max_position_embeddings": 20, "layer_norm_eps": 1e-5,
}  # fmt: skip
CLIP_KINDS = {
    "quick_legacy": {"hidden_act": "quick_gelu", "eos_token_id": 2},
    "gelu_padded": {"hidden_act": "gelu", "eos_token_id": 60},
}
ADDED = ["<img>", "{image}", "{caption}", "{mask}", "{ref_image}", *(f"{{image{i}}}" for i in range(1, 10))]
TEXTS = [
    "",
    "a photo of a cat",
    "A photo of a red car, studio lighting.",
    "{image} the man faces the camera",
    "put {image1} beside {image2}, and {ref_image} under the {mask}.",
    "no space{image}here {image12} {image",
    "It's the dog's 3rd bone; they'll say we've 1024x768 px!",
    "  much   space\tand\na line  ",
    "Café naïve Ångström ﬁne Ｆｕｌｌ x² Größe",
    "재킷을 빨간색으로 바꿔 줘",
    "make the 재킷 red 🙂 日本語",
    "don't @ me #1 -- $5.00 (50% off) ... <b>bold</b> &amp; <|endoftext|> end",
    "I'M SHOUTING, YOU'RE NOT",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
]


def scramble(model: torch.nn.Module, seed: int) -> None:
    """Fill every parameter, norms and biases included, with numbers that matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(0.3 * noise + (1.0 if name.endswith("weight") else 0.0))
            elif parameter.ndim == 2 and "embed" not in name and "shared" not in name and "bias" not in name:
                parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)
            else:
                parameter.copy_(noise)


def t5() -> None:
    """Weights, ids and last hidden state, long enough for the far position buckets; and the buckets themselves."""
    model = T5EncoderModel(T5Config(**T5, feed_forward_proj="gated-gelu", dropout_rate=0.0)).eval()
    scramble(model, 1)
    ids = torch.randint(0, 64, (1, 160), generator=torch.Generator().manual_seed(2))
    distance = torch.arange(-600, 601)
    with torch.no_grad():
        answer = model(input_ids=ids).last_hidden_state
    buckets = T5Attention._relative_position_bucket(distance, True, 32, 128)
    tensors = {f"weights.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    extra = {"ids": ids.int(), "hidden": answer, "distance": distance.int(), "buckets": buckets.int()}
    save_file({**tensors, **extra}, GOLDEN / "t5.safetensors")


def clip() -> None:
    """Weights, ids and pooled outputs: once by the highest id, once at the first of several end tokens."""
    for seed, (kind, fields) in enumerate(CLIP_KINDS.items(), 3):
        model = CLIPTextModel(CLIPTextConfig(**CLIP, **fields)).eval()
        scramble(model, seed)
        ids = torch.randint(3, 59, (2, 20), generator=torch.Generator().manual_seed(seed))
        ids[0, 7:] = 60
        ids[1, 12:] = 60
        if kind == "quick_legacy":
            ids[0, 8:], ids[1, 13:] = 0, 2
        with torch.no_grad():
            answer = model(input_ids=ids).pooler_output
        tensors = {f"weights.text_model.{n.removeprefix('text_model.')}": t for n, t in model.state_dict().items()}
        save_file({**tensors, "ids": ids.int(), "pooled": answer}, GOLDEN / f"clip_{kind}.safetensors")


def tokens() -> None:
    """Ids of the texts by the real tokenizers, T5 also with the added tokens of the FFT and the LoRA models."""
    answers: dict[str, Any] = {"texts": TEXTS}
    for name, added in (("t5_lora", ADDED[1:2]), ("t5_fft", ADDED)):
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TESTS / "tokenizers/t5/tokenizer.json"))
        tokenizer.add_special_tokens({"additional_special_tokens": added})
        answers[name] = [tokenizer(text)["input_ids"] for text in TEXTS]
    files = TESTS / "tokenizers" / "clip"
    tokenizer = CLIPTokenizer(vocab=str(files / "vocab.json"), merges=str(files / "merges.txt"))
    answers["clip"] = [tokenizer(text)["input_ids"] for text in TEXTS]
    rows = {name: ",\n".join(json.dumps(v, ensure_ascii=False) for v in value) for name, value in answers.items()}
    text = ",\n".join(f'"{name}": [\n{lines}]' for name, lines in rows.items())
    (GOLDEN / "tokens.json").write_text(f"{{{text}}}\n", encoding="utf-8")


if __name__ == "__main__":
    t5()
    clip()
    tokens()
    configs = {"t5": T5, **{f"clip_{kind}": {**CLIP, **fields} for kind, fields in CLIP_KINDS.items()}}
    (GOLDEN / "text_configs.json").write_text(json.dumps(configs, indent=1) + "\n", encoding="utf-8")
