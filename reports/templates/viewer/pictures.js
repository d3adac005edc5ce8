"use strict";
// Six linked canvases: a pixel of an image is a square of one colour, whatever the zoom.
viewer.PANELS = ["photo-before", "photo-after", "photo-change", "map-before", "map-after", "map-change"];
const OUTLINE = [255, 214, 10], LUMINANCE = [0.299, 0.587, 0.114];

const canvasOf = panel => document.querySelector(`#${panel} canvas`);
const byte = value => Math.round(255 * Math.max(0, Math.min(1, value)));

// The numbers behind the panels of the state: photos (h, w, 3), maps (h, w); null where there is none.
viewer.read = () => {
  const { image, condition, method } = viewer.state, first = viewer.entry(image, 0);
  const [before, after] = [0, condition].map(each => viewer.entry(image, each, method));
  const isClean = condition === 0, count = viewer.index.height * viewer.index.width;
  const photo = first.photo ? viewer.photoOf(first) : null, moved = isClean ? {} : viewer.entry(image, condition);
  const change = moved.change ? viewer.changeOf(moved) : null;
  const maps = [before, isClean ? {} : after].map(each => each.map ? viewer.mapOf(each) : null);
  return {
    "photo-before": photo, "photo-change": change, "photo-after": change && viewer.add(photo, change),
    "map-before": maps[0], "map-after": maps[1], "map-change": maps[0] && maps[1] && viewer.subtract(maps[1], maps[0]),
    before, after, mask: first.mask ? viewer.maskOf(first, count) : null,
    limit: (isClean ? before : after).limit ?? before.limit ?? 1,
  };
};

viewer.limitOf = (panel, numbers) => viewer.state.own ? viewer.ownLimit(numbers[panel]) : numbers.limit;

const photoColour = numbers => at => [0, 1, 2].map(channel => byte(numbers[3 * at + channel]));
const changeColour = numbers => at => [0, 1, 2].map(channel => byte(0.5 + viewer.index.magnified * numbers[3 * at + channel]));
const mapColour = (numbers, limit) => at => {
  const number = viewer.colourNumber(numbers[at], limit);
  return viewer.colours.subarray(3 * number, 3 * number + 3);
};
// The map over the grey image, as dense as its value is large.
const overlayColour = (numbers, limit, photo) => at => {
  const share = Math.min(1, Math.abs(numbers[at]) / limit), colour = mapColour(numbers, limit)(at);
  const grey = 255 * LUMINANCE.reduce((sum, weight, channel) => sum + weight * photo[3 * at + channel], 0);
  return [0, 1, 2].map(channel => Math.round(share * colour[channel] + (1 - share) * grey));
};

const colourOf = (panel, numbers) => {
  if (panel === "photo-change") return changeColour(numbers[panel]);
  if (panel.startsWith("photo")) return photoColour(numbers[panel]);
  const limit = viewer.limitOf(panel, numbers), photo = numbers[panel === "map-after" ? "photo-after" : "photo-before"];
  return viewer.state.overlay && photo ? overlayColour(numbers[panel], limit, photo) : mapColour(numbers[panel], limit);
};

// A picture of one square for each pixel.
const picture = colour => {
  const { height, width } = viewer.index, drawn = new ImageData(width, height);
  for (let at = 0; at < height * width; at++) drawn.data.set([...colour(at), 255], 4 * at);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(drawn, 0, 0);
  return canvas;
};

viewer.paint = numbers => {
  viewer.numbers = numbers;
  viewer.drawn = Object.fromEntries(viewer.PANELS.map(panel => [panel, numbers[panel] && picture(colourOf(panel, numbers))]));
  viewer.frame();
};

// The part of the image that is in view: left, top, width, height in pixels of the image.
viewer.view = () => {
  const { zoom, x, y } = viewer.state, { height, width } = viewer.index, wide = width / zoom, high = height / zoom;
  const within = (middle, size, all) => Math.max(0, Math.min(all - size, middle * all - size / 2));
  return [within(x, wide, width), within(y, high, height), wide, high];
};

// Draw the part in view, the outline of the mask and the cross-hair in every panel.
viewer.frame = () => {
  for (const panel of viewer.PANELS) {
    const canvas = canvasOf(panel), drawn = viewer.drawn[panel];
    if (!drawn) continue;
    const ratio = window.devicePixelRatio || 1, side = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.width = side;
    canvas.height = Math.max(1, Math.round(side * viewer.index.height / viewer.index.width));
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(drawn, ...viewer.view(), 0, 0, canvas.width, canvas.height);
    if (viewer.state.mask && viewer.numbers.mask) outline(context, canvas, viewer.numbers.mask);
    if (viewer.state.row >= 0) crossHair(context, canvas);
  }
};

// The borders between pixels inside and outside of the mask.
const outline = (context, canvas, mask) => {
  const { height, width } = viewer.index, [left, top, wide, high] = viewer.view();
  const x = column => (column - left) / wide * canvas.width, y = row => (row - top) / high * canvas.height;
  const inside = (row, column) =>
    row >= 0 && column >= 0 && row < height && column < width && mask[row * width + column] === 1;
  context.beginPath();
  for (let row = 0; row <= height; row++) for (let column = 0; column <= width; column++) {
    if (inside(row, column) !== inside(row, column - 1)) {
      context.moveTo(x(column), y(row)); context.lineTo(x(column), y(row + 1));
    }
    if (inside(row, column) !== inside(row - 1, column)) {
      context.moveTo(x(column), y(row)); context.lineTo(x(column + 1), y(row));
    }
  }
  stroke(context, `rgb(${OUTLINE})`);
};

// Lines that end before the pixel they point at, which keeps its colour.
const crossHair = (context, canvas) => {
  const { row, column } = viewer.state, [left, top, wide, high] = viewer.view();
  const cell = canvas.width / wide, x = (column - left) * cell, y = (row - top) * canvas.height / high;
  if (x < -cell || y < -cell || x > canvas.width || y > canvas.height) return;
  const gap = Math.max(3, cell / 4), arm = 1.5 * cell + 8 * (window.devicePixelRatio || 1);
  context.beginPath();
  for (const [from, to] of [[-gap, -gap - arm], [cell + gap, cell + gap + arm]]) {
    context.moveTo(x + from, y + cell / 2); context.lineTo(x + to, y + cell / 2);
    context.moveTo(x + cell / 2, y + from); context.lineTo(x + cell / 2, y + to);
  }
  stroke(context, "#fff");
};

// A light line on a dark one is seen on every ground.
const stroke = (context, colour) => {
  const ratio = window.devicePixelRatio || 1;
  for (const [width, style] of [[3.5, "#000"], [1.5, colour]]) {
    context.lineWidth = width * ratio;
    context.strokeStyle = style;
    context.stroke();
  }
};

viewer.paintLegend = () => {
  const canvas = document.getElementById("legend"), count = viewer.colours.length / 3, drawn = new ImageData(count, 1);
  for (let at = 0; at < count; at++) drawn.data.set([...viewer.colours.subarray(3 * at, 3 * at + 3), 255], 4 * at);
  canvas.width = count;
  canvas.getContext("2d").putImageData(drawn, 0, 0);
};
