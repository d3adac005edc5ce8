"use strict";
// Base64 of the shards as numbers, and numbers as colours.
const viewer = {};

viewer.bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));

// The values of all 65,536 numbers of float16: a sign, five bits of exponent, ten of fraction.
const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = (bits & 1023) / 1024;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
});

viewer.mapOf = entry => {
  const bytes = viewer.bytes(entry.map);
  return Float32Array.from({ length: bytes.length / 2 }, (_, at) =>
    HALVES[bytes[2 * at] | bytes[2 * at + 1] << 8] * entry.scale);
};

viewer.photoOf = entry => Float32Array.from(viewer.bytes(entry.photo), value => value / 255);

viewer.changeOf = entry => Float32Array.from(new Int8Array(viewer.bytes(entry.change).buffer), value => value * entry.step);

viewer.maskOf = (entry, count) => {
  const bytes = viewer.bytes(entry.mask);
  return Uint8Array.from({ length: count }, (_, at) => bytes[at >> 3] >> 7 - (at & 7) & 1);
};

viewer.subtract = (after, before) => after.map((value, at) => value - before[at]);

viewer.add = (one, other) => one.map((value, at) => value + other[at]);

// The number of the colour of a value: 0 is that of -limit, the middle one that of 0.
viewer.colourNumber = (value, limit) => {
  const middle = (viewer.colours.length / 3 - 1) / 2;
  return Math.round(Math.max(-1, Math.min(1, value / limit)) * middle + middle);
};

// The 99th percentile of |values|, linear between the two values beside it; their largest if that is 0.
viewer.ownLimit = values => {
  const sorted = values.map(Math.abs).sort(), place = 0.99 * (sorted.length - 1), low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low) || sorted.at(-1) || 1;
};
