"use strict";
// Filters and sorts the figures that are in the page; without this they stand in the order of hits.
const gallery = document.querySelector("main");
const form = document.querySelector("form");
const count = document.querySelector("output");
const figures = [...gallery.querySelectorAll("figure")];

const KEYS = {
  rank: (figure) => Number(figure.dataset.rank),
  score: (figure) => -Number(figure.dataset.score ?? -Infinity),
  newest: (figure) => -Date.parse(figure.dataset.date ?? "0001-01-01"),
  oldest: (figure) => Date.parse(figure.dataset.date ?? "9999-12-31"),
  name: (figure) => figure.dataset.name,
};

function isWanted(figure, words, least) {
  const text = figure.textContent.toLowerCase();
  const isNear = Number.isNaN(least) || Number(figure.dataset.score ?? -Infinity) >= least;
  return isNear && words.every((word) => text.includes(word));
}

function compare(a, b) {
  if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true });
  return a < b ? -1 : Number(a > b);
}

function show() {
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const least = form.elements.least ? parseFloat(form.elements.least.value) : NaN;
  const key = KEYS[form.elements.sort.value];
  let shown = 0;
  for (const figure of figures) {
    figure.hidden = !isWanted(figure, words, least);
    shown += Number(!figure.hidden);
  }
  const byRank = (a, b) => compare(KEYS.rank(a), KEYS.rank(b));
  gallery.append(...figures.sort((a, b) => compare(key(a), key(b)) || byRank(a, b)));
  count.textContent = `${shown} of ${figures.length}`;
}

function step(by) {
  const links = figures.filter((figure) => !figure.hidden).map((figure) => figure.querySelector("a"));
  const next = links[links.indexOf(document.activeElement) + by];
  if (next) next.focus();
}

function inARow() {
  const open = figures.filter((figure) => !figure.hidden);
  return open.filter((figure) => figure.offsetTop === open[0].offsetTop).length;
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const isTyping = form.contains(event.target);
  const steps = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: inARow, ArrowUp: () => -inARow() };
  if (event.key === "/" && !isTyping) {
    form.elements.text.focus();
  } else if (event.key === "Escape" && isTyping) {
    form.reset();
    show();
  } else if (event.key in steps && !isTyping && gallery.contains(document.activeElement)) {
    step(steps[event.key]());
  } else {
    return;
  }
  event.preventDefault();
});
show();
