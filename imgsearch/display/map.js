"use strict";
// Draws the points of the page; those that lack a word of the search are faint.
const canvas = document.querySelector("canvas");
const brush = canvas.getContext("2d");
const form = document.querySelector("form");
const count = document.querySelector("output");
const card = document.querySelector("aside");
const points = JSON.parse(document.getElementById("points").textContent);

const FAINT = 0.12; // how much is left to be seen of a point that is not looked for
const MARGIN = 48;
const view = { left: 0, top: 0, scale: 1 }; // of the map in pixels of the window
let pointed = null;
let isAsked = false; // whether a frame is to come

for (const point of points) {
  point.image = new Image();
  point.image.onload = draw;
  point.image.src = `data:image/jpeg;base64,${point.picture}`;
  point.text = `${point.name} ${point.caption} ${point.labels}`.toLowerCase();
  point.isWanted = true;
}

function side() {
  // As many pixels as leave room for all at the whole map, then growing with it.
  const room = view.scale / Math.sqrt(points.length || 1);
  return Math.max(6, Math.min(144, room * 0.6));
}

function place(point) {
  return [view.left + point.x * view.scale, view.top + point.y * view.scale];
}

function draw() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(drawNow);
}

function drawNow() {
  isAsked = false;
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  const size = side();
  for (const wanted of [false, true]) {
    brush.globalAlpha = wanted ? 1 : FAINT;
    for (const point of points) if (point.isWanted === wanted) drawPoint(point, size, width, height);
  }
  if (pointed) {
    const [x, y] = place(pointed);
    brush.globalAlpha = 1;
    brush.lineWidth = 3;
    brush.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--focus");
    brush.strokeRect(x - size / 2, y - size / 2, size, size);
  }
}

function drawPoint(point, size, width, height) {
  const [x, y] = place(point);
  if (x < -size || y < -size || x > width + size || y > height + size) return;
  if (point.image.complete && point.image.naturalWidth) {
    brush.drawImage(point.image, x - size / 2, y - size / 2, size, size);
  }
}

function showWhole() {
  const { clientWidth: width, clientHeight: height } = canvas;
  view.scale = Math.max(50, Math.min(width, height) - 2 * MARGIN);
  view.left = (width - view.scale) / 2;
  view.top = (height - view.scale) / 2;
  draw();
}

function zoom(by, x, y) {
  const scale = Math.max(50, Math.min(200000, view.scale * by));
  view.left = x - ((x - view.left) * scale) / view.scale;
  view.top = y - ((y - view.top) * scale) / view.scale;
  view.scale = scale;
  draw();
}

function find() {
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const point of points) {
    point.isWanted = words.every((word) => point.text.includes(word));
    found += Number(point.isWanted);
  }
  count.textContent = `${found} of ${points.length}`;
  draw();
}

function nearest(x, y) {
  const reach = side() / 2;
  let best = null;
  for (const point of points) {
    const [left, top] = place(point);
    const isOver = Math.abs(left - x) <= reach && Math.abs(top - y) <= reach;
    // What is drawn last lies on top.
    if (isOver && (best === null || point.isWanted >= best.isWanted)) best = point;
  }
  return best;
}

function tell(point) {
  if (point === pointed) return;
  pointed = point;
  card.hidden = point === null;
  if (point !== null) {
    card.querySelector("img").src = point.image.src;
    for (const name of ["name", "caption", "labels"]) {
      card.querySelector(`.${name}`).textContent = point[name];
    }
  }
  draw();
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("pointermove", (event) => {
  if (event.buttons) {
    view.left += event.movementX;
    view.top += event.movementY;
    draw();
  } else {
    tell(nearest(event.offsetX, event.offsetY));
  }
});
canvas.addEventListener("pointerleave", () => tell(null));
form.addEventListener("input", find);
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.whole.addEventListener("click", showWhole);
window.addEventListener("resize", draw);
document.addEventListener("keydown", (event) => {
  const isTyping = form.contains(event.target);
  const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "/" && !isTyping) form.elements.text.focus();
  else if (event.key === "+" && !isTyping) zoom(1.5, ...middle);
  else if (event.key === "-" && !isTyping) zoom(1 / 1.5, ...middle);
  else if (event.key === "Escape") { form.reset(); find(); }
  else return;
  event.preventDefault();
});
find();
showWhole();
