"""The words of the training scenes, in English and Korean.

A wording is a template; its slots are names of shapes, colours, textures and people, filled in the
language of the template. Three things are settled after filling: the article ("an orange star"), and the
Korean particles written as 을/를, 으로/로, 이/가, whose form depends on the word before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from .shapes import COLOURS, SHAPES, TEXTURES

KOREAN = 0.25  # share of the instructions

KOREAN_SHAPES = {
    "circle": "원",
    "square": "사각형",
    "triangle": "삼각형",
    "star": "별",
    "heart": "하트",
    "diamond": "마름모",
    "hexagon": "육각형",
    "cross": "십자가",
    "moon": "달",
    "ring": "고리",
}
# How a colour stands before a noun ("빨간 별"), and as a noun itself ("빨간색").
KOREAN_COLOURS = {
    "red": ("빨간", "빨간색"),
    "orange": ("주황색", "주황색"),
    "yellow": ("노란", "노란색"),
    "green": ("초록색", "초록색"),
    "cyan": ("청록색", "청록색"),
    "blue": ("파란", "파란색"),
    "purple": ("보라색", "보라색"),
    "pink": ("분홍색", "분홍색"),
    "white": ("하얀", "하얀색"),
    "black": ("검은", "검은색"),
}
KOREAN_TEXTURES = {"plain": "민무늬", "striped": "줄무늬", "dotted": "물방울무늬", "checked": "체크무늬"}
KOREAN_PEOPLE = {"person": "사람", "woman": "여자", "man": "남자"}

# Slots: shape, colour (of the object), new (its new colour), to (its new shape), texture, ground (colour
# of the background), shirt, who. A colour slot with "_noun" is the Korean noun.
ENGLISH_WORDINGS: dict[str, tuple[str, ...]] = {
    "generate": (
        "a {colour} {shape} on a {ground} background",
        "{colour} {shape} on {ground}",
        "a picture of a {colour} {shape} on a {ground} background",
        "a {ground} background with a {colour} {shape}",
    ),
    "repaint": (
        "a {colour} {shape}",
        "{colour} {shape}",
        "put a {colour} {shape} here",
        "draw a {colour} {shape} here",
        "add a {colour} {shape}",
    ),
    "repaint over": (
        "a {colour} {shape}",
        "put a {colour} {shape} here",
        "replace it with a {colour} {shape}",
        "change this to a {colour} {shape}",
        "a {colour} {shape} instead",
    ),
    "recolour": (
        "make the {shape} {new}",
        "change the {shape} to {new}",
        "paint the {shape} {new}",
        "turn the {colour} {shape} {new}",
        "make the {colour} {shape} {new}",
        "change the {colour} {shape} to {new}",
        "change the color of the {shape} to {new}",
    ),
    "reshape": (
        "turn the {shape} into a {to}",
        "replace the {shape} with a {to}",
        "change the {colour} {shape} into a {to}",
        "make the {shape} a {to}",
    ),
    "background": (
        "make the background {ground}",
        "change the background to {ground}",
        "a {ground} background",
        "paint the background {ground}",
    ),
    "control": (
        "a {colour} {shape}",
        "{colour} {shape}",
        "make it a {colour} {shape}",
        "paint the {shape} {colour}",
        "a {colour} {shape} with this outline",
    ),
    "remove": (
        "remove the {shape}",
        "remove the {colour} {shape}",
        "erase the {shape}",
        "delete the {colour} {shape}",
        "remove it",
        "erase this",
        "take the {shape} away",
        "nothing here, only the background",
    ),
    "reference": (
        "put the {shape} here",
        "put this {shape} here",
        "put this here",
        "place the {shape} in the marked area",
        "insert the object from the picture",
        "add the {shape} from the picture",
    ),
    "reference textured": (
        "put the {texture} {shape} here",
        "put the {shape} here",
        "put this here",
        "add the {texture} {shape} from the picture",
    ),
    "reference of two": (
        "put the {shape} here",
        "place the {shape} in the marked area",
        "add the {shape} from the pictures",
        "put this {shape} here",
    ),
    "pattern": (
        "a {shape} with this pattern",
        "put a {shape} with this pattern here",
        "fill a {shape} with this pattern",
        "use this pattern for a {shape}",
    ),
    "subject": (
        "the {shape} on a {ground} background",
        "put it on a {ground} background",
        "put the {shape} on a {ground} background",
        "the same {shape} on a {ground} background",
        "this {shape} in front of a {ground} background",
    ),
    "portrait shirt": (
        "the same {who} in a {shirt} shirt",
        "this {who} wearing a {shirt} shirt",
        "give the {who} a {shirt} shirt",
        "change the shirt to {shirt}",
    ),
    "portrait background": (
        "the same {who} on a {ground} background",
        "this {who} in front of a {ground} background",
        "put the {who} on a {ground} background",
        "the {who} with a {ground} background",
    ),
    "portrait both": (
        "this {who} on a {ground} background wearing a {shirt} shirt",
        "the same {who} in a {shirt} shirt on a {ground} background",
        "a {shirt} shirt and a {ground} background for this {who}",
        "the {who} wearing a {shirt} shirt in front of a {ground} background",
    ),
}
KOREAN_WORDINGS: dict[str, tuple[str, ...]] = {
    "generate": ("{ground} 배경의 {colour} {shape}", "{ground} 배경에 {colour} {shape}을/를 그려 줘"),
    "repaint": (
        "{colour} {shape}",
        "여기에 {colour} {shape}을/를 그려 줘",
        "여기에 {colour} {shape}을/를 넣어 줘",
    ),
    "repaint over": (
        "{colour} {shape}",
        "이것을 {colour} {shape}으로/로 바꿔 줘",
        "여기에 {colour} {shape}을/를 그려 줘",
    ),
    "recolour": (
        "{shape}을/를 {new_noun}으로/로 바꿔 줘",
        "{colour} {shape}을/를 {new_noun}으로/로 바꿔 줘",
        "{shape}을/를 {new_noun}으로/로 칠해 줘",
        "{shape}의 색을 {new_noun}으로/로 바꿔 줘",
    ),
    "reshape": (
        "{shape}을/를 {to}으로/로 바꿔 줘",
        "{colour} {shape}을/를 {to}으로/로 바꿔 줘",
        "{shape} 대신 {to}을/를 그려 줘",
    ),
    "background": (
        "배경을 {ground_noun}으로/로 바꿔 줘",
        "배경을 {ground_noun}으로/로 칠해 줘",
        "{ground} 배경",
    ),
    "control": (
        "{colour} {shape}",
        "{shape}을/를 {colour_noun}으로/로 칠해 줘",
        "이 모양대로 {colour} {shape}을/를 그려 줘",
    ),
    "remove": (
        "{shape}을/를 지워 줘",
        "{colour} {shape}을/를 지워 줘",
        "{shape}을/를 없애 줘",
        "이것을 지워 줘",
    ),
    "reference": (
        "이것을 여기에 넣어 줘",
        "이 {shape}을/를 여기에 넣어 줘",
        "{shape}을/를 여기에 그려 줘",
        "사진의 {shape}을/를 여기에 넣어 줘",
    ),
    "reference textured": (
        "이것을 여기에 넣어 줘",
        "{texture} {shape}을/를 여기에 넣어 줘",
        "이 {shape}을/를 여기에 넣어 줘",
    ),
    "reference of two": ("{shape}을/를 여기에 넣어 줘", "사진의 {shape}을/를 여기에 넣어 줘"),
    "pattern": (
        "이 무늬의 {shape}",
        "이 무늬로 {shape}을/를 그려 줘",
        "여기에 이 무늬의 {shape}을/를 넣어 줘",
    ),
    "subject": (
        "{ground} 배경의 {shape}",
        "이것을 {ground} 배경에 놓아 줘",
        "이 {shape}을/를 {ground} 배경에 그려 줘",
    ),
    "portrait shirt": (
        "{shirt} 셔츠를 입은 같은 {who}",
        "셔츠를 {shirt_noun}으로/로 바꿔 줘",
        "이 {who}에게 {shirt} 셔츠를 입혀 줘",
    ),
    "portrait background": (
        "{ground} 배경의 같은 {who}",
        "배경을 {ground_noun}으로/로 바꿔 줘",
        "이 {who}을/를 {ground} 배경에 놓아 줘",
    ),
    "portrait both": (
        "{ground} 배경에서 {shirt} 셔츠를 입은 {who}",
        "{shirt} 셔츠를 입고 {ground} 배경에 있는 같은 {who}",
    ),
}
IMAGE_WORD = "{image}"  # stands for the picture itself at the start of an instruction
_COLOUR_SLOTS = ("colour", "new", "ground", "shirt")


def draw_instruction(rng: np.random.Generator, kind: str, words: Mapping[str, str]) -> str:
    """Draw a wording of this kind, in either language, filled with what the English `words` name."""
    korean = rng.random() < KOREAN
    templates = (KOREAN_WORDINGS if korean else ENGLISH_WORDINGS)[kind]
    return fill(templates[int(rng.integers(len(templates)))], words, korean)


def fill(template: str, words: Mapping[str, str], korean: bool) -> str:
    """Fill the slots of a template; `words` are the English names of what goes into each."""
    if not korean:
        return re.sub(r"\ba (?=[aeiou])", "an ", template.format(**words))
    text = template.format(**_translated(words))
    for pair, (closed, opened) in {
        "을/를": ("을", "를"),
        "으로/로": ("으로", "로"),
        "이/가": ("이", "가"),
    }.items():
        while pair in text:
            before, after = text.split(pair, 1)
            text = before + (closed if _takes_closed(before[-1], pair) else opened) + after
    return text


def all_instructions() -> Iterator[str]:
    """Give every wording, each with a hundred fillings that together hold every word of every slot."""
    colours, shapes = list(COLOURS), list(SHAPES)
    people, textures = list(KOREAN_PEOPLE), TEXTURES[1:]
    for korean, wordings in ((False, ENGLISH_WORDINGS), (True, KOREAN_WORDINGS)):
        for template in (template for templates in wordings.values() for template in templates):
            for number in range(100):
                first, second = number % 10, number // 10
                words = {
                    "shape": shapes[first],
                    "to": shapes[(first + second) % 10],
                    "colour": colours[second],
                    "new": colours[(first + second + 1) % 10],
                    "ground": colours[(3 * first + second) % 10],
                    "shirt": colours[(7 * first + second) % 10],
                    "texture": textures[number % 3],
                    "who": people[number % 3],
                }
                text = fill(template, words, korean)
                yield f"{IMAGE_WORD} {text}" if number % 20 == 7 else text


def _translated(words: Mapping[str, str]) -> dict[str, str]:
    tables = {"shape": KOREAN_SHAPES, "to": KOREAN_SHAPES, "texture": KOREAN_TEXTURES, "who": KOREAN_PEOPLE}
    korean: dict[str, str] = {}
    for slot, word in words.items():
        if slot in _COLOUR_SLOTS:
            korean[slot], korean[f"{slot}_noun"] = KOREAN_COLOURS[word]
        else:
            korean[slot] = tables[slot][word]
    return korean


def _takes_closed(syllable: str, pair: str) -> bool:
    """Tell whether the particle's first form follows: after a final consonant, for 으로 any but ㄹ."""
    final = (ord(syllable) - 0xAC00) % 28
    return final != 0 and not (pair == "으로/로" and final == 8)
