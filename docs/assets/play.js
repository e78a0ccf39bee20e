// The page to play with: attention by token and head, and how temperature, top-k and top-p cut a
// distribution. Everything shown comes from a model that was trained when the page was built.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("play-data").textContent);
  const { pieces } = data;
  const { distribution, generator, drawFrom } = window.blocksSampling;
  const SVG = "http://www.w3.org/2000/svg";
  const visible = (text) => text.replace(/^ /, "").replace(/ /g, "␣") || "␣";
  const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function drawn(tag, attributes, ...children) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function options(select, texts, changed) {
    select.replaceChildren(...texts.map((text, i) => element("option", { value: i }, text)));
    select.addEventListener("change", () => changed(Number(select.value)));
  }

  /** A row of tokens as buttons: one is chosen, by pointer, Tab and arrow keys. */
  function tokenRow(row, tokens, hover, chosen) {
    const buttons = tokens.map((id, i) => {
      const ends = i + 1 < tokens.length && pieces[tokens[i + 1]].startsWith(" ");
      const text = element("span", { class: "play-text" }, visible(pieces[id]));
      const kind = `play-token${ends ? " play-ends" : ""}`;
      const button = element("button", { type: "button", class: kind }, text);
      button.addEventListener("click", () => chosen(i));
      button.addEventListener("focus", () => chosen(i));
      button.addEventListener("pointerenter", (event) => {
        if (hover && event.pointerType === "mouse") chosen(i);
      });
      return button;
    });
    row.replaceChildren(...buttons);
    row.onkeydown = (event) => {
      const at = buttons.indexOf(document.activeElement);
      const last = buttons.length - 1;
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      buttons[Math.min(Math.max(to, 0), last)].focus();
    };
    return buttons;
  }

  /** Marks the chosen button: it alone is reached by Tab. */
  function mark(buttons, chosen) {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-pressed", i === chosen);
      button.tabIndex = i === chosen ? 0 : -1;
    });
  }

  // ---------------------------------------------------------------------------- attention

  // A square root lets small weights be seen.
  const strength = (weight) => Math.sqrt(weight);

  const written = (weight) => (weight < 0.005 ? "0" : weight.toFixed(2));

  const mean = (maps) => maps[0].map((row, q) => row.map((_, k) =>
    maps.reduce((sum, map) => sum + map[q][k], 0) / maps.length));

  /** The cells of a map of attention, `size` wide each, the fuller the larger the weight. */
  function cells(map, size) {
    const group = drawn("g", { class: "play-cells" });
    map.forEach((row, q) => row.forEach((weight, k) => {
      if (weight > 0.002) {
        const place = { x: k * size, y: q * size, width: size, height: size };
        group.append(drawn("rect", { ...place, "fill-opacity": strength(weight).toFixed(2) }));
      }
    }));
    return group;
  }

  function attention(root) {
    const state = { sentence: 0, layer: 1, head: 0, query: 0 };
    const [row, heads, map] = ["tokens", "heads", "map"].map((name) => part(root, name));
    let buttons, all, bar, shown;

    const title = () => `Layer ${state.layer + 1}, ` +
      (state.head === shown.length - 1 ? "average of the heads" : `head ${state.head + 1}`);

    function pick(query) {
      state.query = query;
      mark(buttons, query);
      const weights = shown[state.head][query];
      buttons.forEach((button, key) => {
        const weight = key <= query ? weights[key] : 0;
        button.classList.toggle("play-later", key > query);
        button.style.setProperty("--strength", strength(weight).toFixed(3));
        button.querySelector(".play-number").textContent = key > query ? "–" : written(weight);
      });
      const { tokens } = data.sentences[state.sentence];
      const name = (key) => `“${visible(pieces[tokens[key]])}”`;
      const most = weights.map((weight, key) => [weight, key]).sort((a, b) => b[0] - a[0]);
      const words = most.slice(0, 3).map(([weight, key]) =>
        `${key === query ? "itself" : name(key)} ${weight.toFixed(2)}`);
      part(root, "said").textContent =
        `${title()}: token ${query + 1}, ${name(query)}, attends most to ${words.join(", ")}.`;
      if (bar) bar.setAttribute("y", query * 16);
    }

    function drawMap() {
      const { tokens } = data.sentences[state.sentence];
      const side = tokens.length * 16;
      bar = drawn("rect", { class: "play-bar", x: 0, width: side, height: 16 });
      const labels = tokens.map((id, i) => drawn("text", { x: -4, y: i * 16 + 11.5 }, visible(pieces[id])));
      const frame = drawn("rect", { class: "play-frame", width: side, height: side });
      const reach = 9 * 7;
      map.setAttribute("viewBox", `${-reach} -2 ${side + reach + 2} ${side + 4}`);
      map.setAttribute("aria-label", `${title()}: the weights of all tokens; a row is the token ` +
        "that looks, a column the token looked at. All weight lies on and below the diagonal.");
      map.replaceChildren(frame, cells(shown[state.head], 16), bar, ...labels);
      part(root, "title").textContent = title();
    }

    function show() {
      const { weights } = data.sentences[state.sentence];
      shown = [...weights[state.layer], mean(weights[state.layer])];
      mark(all, state.layer * shown.length + state.head);
      drawMap();
      pick(state.query);
    }

    function open(sentence) {
      const { tokens, weights } = data.sentences[sentence];
      Object.assign(state, { sentence, query: tokens.length - 1 });
      buttons = tokenRow(row, tokens, true, pick);
      buttons.forEach((b) => b.append(element("span", { class: "play-number" })));
      all = [];
      heads.replaceChildren(...weights.map((layer, l) => {
        const maps = [...layer, mean(layer)];
        const group = element("div", { class: "play-layer", role: "group", "aria-label": `Layer ${l + 1}` });
        group.append(element("span", {}, `Layer ${l + 1}`), ...maps.map((one, h) => {
          const side = tokens.length * 2;
          const box = { viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" };
          const name = h === layer.length ? "average" : `head ${h + 1}`;
          const button = element("button", { type: "button", "aria-label": `Layer ${l + 1}, ${name}` });
          button.append(drawn("svg", box, cells(one, 2)), element("span", {}, name));
          button.addEventListener("click", () => {
            Object.assign(state, { layer: l, head: h });
            show();
          });
          all.push(button);
          return button;
        }));
        return group;
      }));
      heads.onkeydown = (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -shown.length, ArrowDown: shown.length };
        const to = all.indexOf(document.activeElement) + (step[event.key] || 0);
        if (!(event.key in step)) return;
        event.preventDefault();
        if (all[to]) { all[to].focus(); all[to].click(); }
      };
      show();
    }

    function pointed(event) {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
      const query = Math.floor(at.y / 16);
      if (query >= 0 && query < buttons.length) pick(query);
    }

    map.addEventListener("pointermove", pointed);
    map.addEventListener("click", pointed);
    options(part(root, "sentence"), data.sentences.map(({ text }) => text), open);
    open(0);
  }

  // ---------------------------------------------------------------------------- sampling

  const KS = [1, 2, 3, 4, 5, 8, 10, 15, 20, 30, 50, 100, 200, null];
  const ROWS = 12;

  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

  function sampling(root) {
    const [row, list, seed] = ["tokens", "bars", "seed"].map((name) => part(root, name));
    const sliders = ["temperature", "top-k", "top-p"].map((name) => part(root, name));
    let prompt, position, random, counts, buttons, now;

    function settings() {
      const [temperature, k, p] = sliders.map((slider) => Number(slider.value));
      return { temperature, topK: KS[k], topP: p === 1 ? null : p };
    }

    function bar(text, before, after, most, count) {
      const cut = after === 0 ? " play-cut" : "";
      const track = element("span", { class: most ? "play-track" : "" });
      if (most) {
        track.append(element("span", { class: "play-after", style: `width:${(100 * after) / most}%` }),
          element("span", { class: "play-before", style: `left:${(100 * before) / most}%` }));
      }
      return element("li", { class: `play-row${cut}` }, element("span", { class: "play-name" }, text),
        track, element("span", { class: "play-share" }, cut ? "cut" : percent(after)),
        element("span", { class: "play-count" }, count ? `×${count}` : ""));
    }

    function show() {
      const { temperature, topK, topP } = settings();
      const logits = prompt.logits[position];
      const before = distribution(logits, { temperature: temperature || 1, topK: null, topP: null });
      now = distribution(logits, settings());
      const order = logits.map((_, i) => i).sort((a, b) => logits[b] - logits[a]);
      const [first, rest] = [order.slice(0, ROWS), order.slice(ROWS)];
      const sum = (of, ids) => ids.reduce((total, id) => total + of[id], 0);
      const most = Math.max(...first.map((id) => Math.max(before[id], now[id])));
      list.replaceChildren(
        ...first.map((id) => bar(pieces[id].replace(/ /g, "␣"), before[id], now[id], most, counts[id])),
        bar(`${rest.length} others`, 0, sum(now, rest), 0, sum(counts, rest)));
      const outputs = [temperature.toFixed(2), topK === null ? "all" : `${topK}`,
        topP === null ? "all" : topP.toFixed(2)];
      sliders.forEach((slider, i) => {
        slider.setAttribute("aria-valuetext", outputs[i]);
        slider.nextElementSibling.textContent = outputs[i];
      });
      const kept = now.filter((share) => share > 0).length;
      const held = sum(before, order.filter((id) => now[id] > 0));
      const bits = -now.reduce((total, share) => total + (share ? share * Math.log2(share) : 0), 0);
      part(root, "said").textContent = temperature === 0
        ? "Temperature 0 takes the most probable token always: there is nothing to draw."
        : `${kept} of ${now.length} tokens are left; they held ${percent(held)} before the cut. ` +
          `A draw is as open as one among ${(2 ** bits).toFixed(1)} equal tokens.`;
    }

    function again() {
      random = generator(Number(seed.value));
      counts = prompt.logits[position].map(() => 0);
      part(root, "drawn").textContent = "Nothing is drawn yet.";
      show();
    }

    function draw(times) {
      let id;
      for (let i = 0; i < times; i += 1) counts[id = drawFrom(now, random())] += 1;
      const total = counts.reduce((a, b) => a + b, 0);
      const text = prompt.tokens.slice(0, position + 1).map((token) => pieces[token]).join("");
      const said = `Draw ${total} of seed ${seed.value}: ${text}`;
      part(root, "drawn").replaceChildren(said, element("mark", {}, pieces[id]));
      show();
    }

    function look(at) {
      position = at;
      mark(buttons, at);
      buttons.forEach((button, i) => button.classList.toggle("play-later", i > at));
      again();
    }

    function open(number) {
      prompt = data.prompts[number];
      buttons = tokenRow(row, prompt.tokens, false, (at) => { if (at !== position) look(at); });
      look(prompt.tokens.length - 1);
    }

    sliders[1].max = sliders[1].value = KS.length - 1;
    [...sliders, seed].forEach((input) => input.addEventListener("input", again));
    part(root, "draw").addEventListener("click", () => draw(1));
    part(root, "draw-many").addEventListener("click", () => draw(100));
    part(root, "again").addEventListener("click", again);
    part(root, "reset").addEventListener("click", () => {
      sliders.forEach((slider, i) => { slider.value = [1, KS.length - 1, 1][i]; });
      again();
    });
    options(part(root, "prompt"), data.prompts.map(({ text }) => text), open);
    open(0);
  }

  attention(document.getElementById("play-attention"));
  sampling(document.getElementById("play-sampling"));
})();
