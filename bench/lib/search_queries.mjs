// The queries of the search suite, of words that the corpus has, by a fixed seed: the same for every
// engine. A word is drawn as often as documents have it, so common ones come often.
const SEED = 20261128;

function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const wordsOf = ({ title, text }) => [...new Set(`${title} ${text}`.toLowerCase().match(/[a-z]{3,}/g) ?? [])];

// One letter left out, changed, put in, or two swapped; never the first.
function misspelt(word, random) {
  const at = 1 + random(word.length - 2);
  const letter = String.fromCharCode(97 + random(26));
  return [
    word.slice(0, at) + word.slice(at + 1),
    word.slice(0, at) + letter + word.slice(at + 1),
    word.slice(0, at) + letter + word.slice(at),
    word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2),
  ][random(4)];
}

// { and: [[word, word], …], or: …, prefix: [[beginning], …], typo: [[word], …], … }
export function searchQueries(documents, count) {
  const random = generator(SEED);
  const draw = (least) => {
    for (;;) {
      const words = wordsOf(documents[random(documents.length)]).filter(({ length }) => length >= least);
      if (words.length > 0) return words[random(words.length)];
    }
  };
  const pair = () => {
    for (;;) {
      const words = wordsOf(documents[random(documents.length)]);
      if (words.length < 2) continue;
      const [first] = words.splice(random(words.length), 1);
      return [first, words[random(words.length)]];
    }
  };
  const many = (make) => Array.from({ length: count }, make);
  return {
    and: many(pair), // both of one document, so something is found
    or: many(() => [draw(3), draw(3)]),
    prefix: many(() => { const word = draw(5); return [word.slice(0, 3 + random(3))]; }),
    typo: many(() => [misspelt(draw(6), random)]),
    word: many(() => [draw(3)]), // with filter, facets and sort
  };
}
