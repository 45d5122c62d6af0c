// A picture as rows of indices into a palette, in base64: the colours of areas as they are, then those that differ
// most, and for every other one the nearest of these. Called with the picture's PNG in base64 and the palette's size.
async ([png, most]) => {
  const EXACT = 64, APART = 400;
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const common = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a - b);
  const channels = (colour) => [colour & 255, colour >> 8 & 255, colour >> 16 & 255];
  const distance = (one, other) => {
    const there = channels(other);
    return channels(one).reduce((sum, value, at) => sum + (value - there[at]) ** 2, 0);
  };
  const palette = common.slice(0, EXACT);
  common.slice(EXACT).forEach((colour) => {
    if (palette.length < most && palette.every((one) => distance(one, colour) > APART)) palette.push(colour);
  });
  const index = new Map(palette.map((colour, at) => [colour, at]));
  common.filter((colour) => !index.has(colour)).forEach((colour) => {
    const away = palette.map((one) => distance(one, colour));
    index.set(colour, away.indexOf(Math.min(...away)));
  });
  const text = Array.from(pixels, (pixel) => String.fromCharCode(index.get(pixel))).join("");
  return { width, height, palette: palette.map(channels), rows: btoa(text) };
}
