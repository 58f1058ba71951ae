"""List every visible text of the window that has no translation: python tools/texts.py [ko]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.ace_desktop.visible_texts import visible_texts

ROOT = Path(__file__).parents[1]


def main() -> None:
    language = sys.argv[1] if len(sys.argv) > 1 else "ko"
    file = ROOT / "resources" / "translations" / f"{language}.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    texts = visible_texts()
    print(json.dumps({text: "" for text in sorted(texts) if text not in known}, ensure_ascii=False, indent=1))
    print(json.dumps({"no longer used": sorted(set(known) - texts)}, ensure_ascii=False, indent=1), file=sys.stderr)


if __name__ == "__main__":
    main()
