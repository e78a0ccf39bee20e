"""The parts of the page to play with, as HTML; docs/assets/play.js brings them to life."""

from __future__ import annotations

import json
from typing import Any

ATTENTION = """
<div class="play" id="play-attention">
<label>Sentence <select data-part="sentence"></select></label>
<div class="play-tokens" data-part="tokens" role="group"
  aria-label="Tokens of the sentence: choose one to see where it looks"></div>
<p data-part="said" aria-live="polite"></p>
<div class="play-views">
<div data-part="heads" role="group" aria-label="Layers and heads"></div>
<div class="play-map"><p data-part="title"></p>
<svg data-part="map" role="img" aria-label="The weights of all tokens"></svg></div>
</div>
</div>
"""

SAMPLING = """
<div class="play" id="play-sampling">
<label>Prompt <select data-part="prompt"></select></label>
<div class="play-tokens" data-part="tokens" role="group"
  aria-label="Tokens of the prompt: choose the one after which to draw"></div>
<div class="play-sliders">
<label>Temperature
  <input data-part="temperature" type="range" min="0" max="2" step="0.05" value="1">
  <output></output></label>
<label>Top-k <input data-part="top-k" type="range" min="0" step="1"> <output></output></label>
<label>Top-p
  <input data-part="top-p" type="range" min="0.05" max="1" step="0.05" value="1">
  <output></output></label>
</div>
<ol class="play-bars" data-part="bars" aria-label="The most probable next tokens"></ol>
<p data-part="said" aria-live="polite"></p>
<div class="play-actions">
<button type="button" data-part="draw">Draw a token</button>
<button type="button" data-part="draw-many">Draw 100</button>
<button type="button" data-part="again">Forget the draws</button>
<button type="button" data-part="reset">Reset the sliders</button>
<label>Seed <input data-part="seed" type="number" min="0" step="1" value="1"></label>
</div>
<p data-part="drawn" aria-live="polite"></p>
</div>
"""

SCRIPTS = """
<link rel="stylesheet" href="{assets}/play.css">
<noscript><p>This page needs JavaScript; all of it comes from this site.</p></noscript>
<script type="application/json" id="play-data">{data}</script>
<script defer src="{assets}/play_maths.js"></script>
<script defer src="{assets}/play.js"></script>
"""


def scripts(assets: str, data: dict[str, Any]) -> str:
    """The data and what shows it; `assets` is the way to the scripts."""
    # `<` could end the element early.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return SCRIPTS.replace("{assets}", assets).replace("{data}", text)
