// How a token is drawn from logits, as recipes.generation.tokens.sample_token does it; a test compares them.
"use strict";
window.blocksSampling = (() => {
  const descending = (numbers) => Float64Array.from(numbers).sort().reverse();

  function softmax(logits) {
    const most = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }

  /** What recipes.generation.tokens.sample_token draws from: temperature, then top-k, then top-p. */
  function distribution(logits, { temperature, topK, topP }) {
    if (temperature === 0) {
      const best = logits.indexOf(Math.max(...logits));
      return logits.map((_, i) => (i === best ? 1 : 0));
    }
    const cut = (values, smallest) => values.map((v) => (v < smallest ? -Infinity : v));
    let left = logits.map((logit) => logit / temperature);
    if (topK !== null) left = cut(left, descending(left)[Math.min(topK, left.length) - 1]);
    if (topP !== null) {
      const ordered = [...descending(left)];
      let before = 0;
      let smallest = ordered[0];
      softmax(ordered).forEach((probability, i) => {
        if (before < topP) smallest = ordered[i];
        before += probability;
      });
      left = cut(left, smallest);
    }
    return softmax(left);
  }

  /** Numbers from 0 to 1, the same for the same seed: mulberry32. */
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** The token at which the sum of probabilities passes a number from 0 to 1. */
  function drawFrom(probabilities, number) {
    let last = 0;
    for (let i = 0; i < probabilities.length; i += 1) {
      if (probabilities[i] > 0) {
        last = i;
        number -= probabilities[i];
        if (number < 0) break;
      }
    }
    return last;
  }

  return { distribution, generator, drawFrom };
})();
