"use strict";
// The controls, the keys and the pointer.
const $ = id => document.getElementById(id);
const SWITCHES = ["overlay", "mask", "own"];

viewer.say = text => {
  $("message").textContent = text;
  $("message").hidden = !text;
};

// Show the state anew.
viewer.show = () => {
  viewer.fillControls();
  const listed = viewer.listed();
  viewer.fillList(listed);
  viewer.writeAddress();
  const { image, condition, method } = viewer.state, isEmpty = image === null;
  $("panels").classList.toggle("empty", isEmpty);
  if (isEmpty) { $("sentence").textContent = "No image is here: none was computed, or none passes the filter."; return; }
  const methodTitle = viewer.index.methods[method].title, heading = viewer.index.conditions[condition].heading;
  $("title").textContent = `${methodTitle}, ${heading}`;
  $("sentence").textContent = viewer.sentence(listed);
  const needed = [[image, 0], [image, 0, method], [image, condition], [image, condition, method]];
  viewer.load(needed.map(where => viewer.placeOf(...where)[0]), () => viewer.fill(viewer.read()));
};

viewer.fill = numbers => {
  viewer.say("");
  const isClean = viewer.state.condition === 0;
  for (const panel of viewer.PANELS) {
    const figure = $(panel), absent = figure.querySelector(".absent"), isThere = Boolean(numbers[panel]);
    figure.hidden = isClean && !panel.endsWith("before");
    figure.querySelector("canvas").hidden = !isThere;
    absent.hidden = isThere;
    absent.textContent = viewer.reason(panel, numbers);
    figure.querySelector("small").textContent = isThere ? viewer.beneath(panel, numbers) : "";
    figure.querySelector("canvas").setAttribute("aria-label", viewer.label(panel, numbers));
  }
  viewer.paint(numbers);
  viewer.tell(numbers);
  viewer.readOut();
  const legend = [$("low"), $("high")], end = viewer.state.own ? "v" : numbers.limit.toPrecision(3);
  legend.forEach((each, at) => { each.textContent = `${at ? "+" : "−"}${end}`; });
  $("limit").textContent = viewer.limitInWords(numbers);
  $("banner").hidden = !viewer.state.own;
  $("measures").hidden = isClean;
};

viewer.reason = (panel, numbers) => {
  const whole = panel === "map-before" ? numbers.before.absent : numbers.after.absent ?? numbers.before.absent;
  return panel.startsWith("map") ? whole ?? "" : "not computed: its task is missing";
};

viewer.label = (panel, numbers) => {
  const name = document.querySelector(`#${panel} figcaption`).textContent;
  if (!numbers[panel] || !panel.startsWith("map")) return name;
  return `${name}: ${viewer.extremes(numbers[panel])}`;
};

viewer.readOut = () => {
  for (const panel of viewer.PANELS) document.querySelector(`#${panel} output`).textContent = viewer.valueAt(panel, viewer.numbers);
  const { row, column } = viewer.state;
  if (row >= 0 && column >= 0) $("place").textContent = `Values at row ${row}, column ${column}, counted from 0 at the top left.`;
};

// Say what the cross-hair points at, for those who moved it by keys.
viewer.speak = () => {
  const names = { "map-before": "before", "map-after": "after", "map-change": "change" };
  const values = Object.keys(names).filter(panel => viewer.numbers[panel])
    .map(panel => `${names[panel]} ${viewer.valueAt(panel, viewer.numbers)}`);
  $("spoken").textContent = `Row ${viewer.state.row}, column ${viewer.state.column}: ${values.join(", ")}`;
};

// Change the state. An image that does not pass the filter any more gives way to the first that does.
viewer.change = changes => {
  const isChoice = Object.keys(changes).some(key => ["class", "prediction", "family"].includes(key));
  Object.assign(viewer.state, changes);
  if (isChoice) viewer.keepWithinFilter();
  viewer.show();
};

viewer.keepWithinFilter = () => {
  const { state } = viewer, { conditions } = viewer.index;
  if (state.family && conditions[state.condition].family !== state.family) {
    state.condition = conditions.findIndex(each => each.family === state.family);
  }
  const listed = viewer.listed();
  if (!listed.includes(state.image)) state.image = listed[0] ?? null;
};

const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });

// Fill the lists of choices once.
viewer.fillChoices = () => {
  const { methods, images, classes, measures, conditions } = viewer.index;
  $("method").replaceChildren(...methods.map((each, at) => option(at, at < 9 ? `${at + 1}  ${each.title}` : each.title)));
  const labels = [...new Set(images.map(each => each.label))].sort((one, other) => classes[one].localeCompare(classes[other]));
  $("class").replaceChildren(option("", "any"), ...labels.map(each => option(each, classes[each])));
  $("family").replaceChildren(option("", "any"), ...[...new Set(conditions.map(each => each.family))].map(each => option(each, each)));
  $("measure").replaceChildren(...measures.map((each, at) => option(at, each)));
};

viewer.conditionsListed = () => {
  const all = viewer.index.conditions.map((_, number) => number), { family } = viewer.state;
  return family ? all.filter(each => viewer.index.conditions[each].family === family) : all;
};

viewer.fillControls = () => {
  const { state } = viewer, named = number => {
    const { heading, doubt } = viewer.index.conditions[number];
    return option(number, doubt ? `${heading} (${doubt})` : heading);
  };
  $("condition").replaceChildren(...viewer.conditionsListed().map(named));
  for (const key of ["method", "condition", "family", "class", "prediction", "order", "measure"]) $(key).value = state[key] ?? "";
  for (const key of SWITCHES) $(key).setAttribute("aria-pressed", String(state[key]));
};

viewer.fillList = listed => {
  const total = viewer.index.images.length;
  $("count").textContent = listed.length === total ? `${total} images` : `${listed.length} of ${total} images`;
  const line = number => {
    const facts = viewer.index.images[number], button = document.createElement("button"), item = document.createElement("li");
    const text = (kind, content) => Object.assign(document.createElement(kind), { textContent: content, dir: "auto" });
    button.type = "button";
    button.append(text("span", facts.id), text("small", viewer.index.classes[facts.label]));
    if (viewer.state.condition) button.append(text("b", viewer.fixed(viewer.score(number))));
    if (number === viewer.state.image) button.setAttribute("aria-current", "true");
    button.onclick = () => viewer.change({ image: number });
    item.append(button);
    return item;
  };
  const hadFocus = $("images").contains(document.activeElement);
  $("images").replaceChildren(...listed.map(line));
  const current = $("images").querySelector("[aria-current]");
  if (!current) return;
  const list = $("images"), above = current.offsetTop - list.offsetTop;
  if (above < list.scrollTop || above + current.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = above - 40;
  if (hadFocus) current.focus({ preventScroll: true });
};

const within = (value, low, high) => Math.max(low, Math.min(high, value));

viewer.step = by => {
  const listed = viewer.listed(), at = listed.indexOf(viewer.state.image);
  if (listed.length) viewer.change({ image: listed[within(at + by, 0, listed.length - 1)] });
};

viewer.stepCondition = by => {
  const listed = viewer.conditionsListed(), at = listed.indexOf(viewer.state.condition);
  viewer.change({ condition: listed[within(at + by, 0, listed.length - 1)] });
};

// Zoom by a factor; the point (x, y) of the image, in shares of its sides, stays where it is.
viewer.zoomBy = (factor, x = viewer.state.x, y = viewer.state.y) => {
  const [left, top, wide, high] = viewer.view(), { width, height } = viewer.index;
  const zoom = within(viewer.state.zoom * factor, 1, 32), size = viewer.state.zoom / zoom;
  const middle = (point, start, length, all) => (point - (point - start / all - length / all / 2) * size);
  Object.assign(viewer.state, { zoom, x: middle(x, left, wide, width), y: middle(y, top, high, height) });
  viewer.settle();
};

// Keep the middle of the view where the view can be, and draw.
viewer.settle = () => {
  const [left, top, wide, high] = viewer.view(), { width, height } = viewer.index;
  Object.assign(viewer.state, { x: (left + wide / 2) / width, y: (top + high / 2) / height });
  viewer.writeAddress();
  if (viewer.drawn) viewer.frame();
};

viewer.point = (row, column) => {
  const { width, height } = viewer.index;
  Object.assign(viewer.state, { row: within(row, 0, height - 1), column: within(column, 0, width - 1) });
  viewer.writeAddress();
  if (!viewer.numbers) return;
  viewer.frame();
  viewer.readOut();
};

viewer.movePoint = (down, right) => {
  const { row, column } = viewer.state, { width, height } = viewer.index;
  if (row < 0 || column < 0) viewer.point(Math.floor(height / 2), Math.floor(width / 2));
  else viewer.point(row + down, column + right);
  if (viewer.numbers) viewer.speak();
};

const toggle = key => () => viewer.change({ [key]: !viewer.state[key] });
const KEYS = {
  ArrowRight: () => viewer.step(1), ArrowDown: () => viewer.step(1),
  ArrowLeft: () => viewer.step(-1), ArrowUp: () => viewer.step(-1),
  ",": () => viewer.stepCondition(-1), ".": () => viewer.stepCondition(1),
  o: toggle("overlay"), m: toggle("mask"), s: toggle("own"),
  "+": () => viewer.zoomBy(1.5), "=": () => viewer.zoomBy(1.5), "-": () => viewer.zoomBy(1 / 1.5), z: () => viewer.zoomBy(0),
};
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

viewer.onKey = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const digit = Number(event.key), isMethod = digit >= 1 && digit <= Math.min(9, viewer.index.methods.length);
  const act = isMethod ? () => viewer.change({ method: digit - 1 })
    : event.shiftKey && MOVES[event.key] ? () => viewer.movePoint(...MOVES[event.key]) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
};

viewer.watchPointer = canvas => {
  let grip = null;
  const place = event => {  // in shares of the sides of the image
    const box = canvas.getBoundingClientRect(), [left, top, wide, high] = viewer.view(), { width, height } = viewer.index;
    return [(left + (event.clientX - box.left) / box.width * wide) / width, (top + (event.clientY - box.top) / box.height * high) / height];
  };
  const pointAt = event => {
    const [x, y] = place(event);
    viewer.point(Math.floor(y * viewer.index.height), Math.floor(x * viewer.index.width));
  };
  canvas.addEventListener("pointerdown", event => {
    pointAt(event);
    grip = place(event);
    if (viewer.state.zoom > 1) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (!grip || viewer.state.zoom === 1) { pointAt(event); return; }
    const [x, y] = place(event);
    Object.assign(viewer.state, { x: viewer.state.x + grip[0] - x, y: viewer.state.y + grip[1] - y });
    viewer.settle();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { grip = null; });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    viewer.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, ...place(event));
  }, { passive: false });
};

viewer.start = () => {
  viewer.fillChoices();
  viewer.readAddress();
  viewer.paintLegend();
  $("filters").open = window.innerWidth > 640 || location.hash.length > 1;
  for (const key of ["method", "condition", "measure"]) $(key).onchange = event => viewer.change({ [key]: Number(event.target.value) });
  for (const key of ["family", "prediction", "order"]) $(key).onchange = event => viewer.change({ [key]: event.target.value });
  $("class").onchange = event => viewer.change({ class: event.target.value === "" ? null : Number(event.target.value) });
  for (const key of SWITCHES) $(key).onclick = toggle(key);
  $("previous").onclick = KEYS.ArrowLeft;
  $("next").onclick = KEYS.ArrowRight;
  $("closer").onclick = KEYS["+"];
  $("wider").onclick = KEYS["-"];
  $("whole").onclick = KEYS.z;
  document.querySelectorAll("#panels figure canvas").forEach(viewer.watchPointer);
  document.addEventListener("keydown", viewer.onKey);
  window.addEventListener("resize", () => viewer.drawn && viewer.frame());
  window.addEventListener("hashchange", () => { viewer.readAddress(); viewer.show(); });
  viewer.show();
};

window.addEventListener("load", () => {
  if (!viewer.index) viewer.say("The file data/index.js is missing or damaged. Copy the folder of this page with all its files.");
});
