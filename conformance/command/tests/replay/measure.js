// What a browser makes of the pictures on a page: all words that lie on others, and all that reach out of their picture.
const found = [];
const cut = (shape, from, to) => {
  const side = p => (to.x - from.x) * (p.y - from.y) - (to.y - from.y) * (p.x - from.x);
  return shape.flatMap((p, i) => {
    const q = shape[(i + 1) % shape.length], a = side(p), b = side(q), share = a / (a - b);
    const between = {x: p.x + (q.x - p.x) * share, y: p.y + (q.y - p.y) * share};
    return [...(a >= 0 ? [p] : []), ...((a >= 0) != (b >= 0) ? [between] : [])];
  });
};
const shared = (a, b) => {
  const shape = b.reduce((left, p, i) => cut(left, p, b[(i + 1) % 4]), a);
  return Math.abs(shape.reduce((sum, p, i) => {
    const q = shape[(i + 1) % shape.length];
    return sum + p.x * q.y - q.x * p.y;
  }, 0)) / 2;
};
let words = 0;
for (const svg of document.querySelectorAll('svg')) {
  const view = svg.viewBox.baseVal;
  const boxes = [...svg.querySelectorAll('text')].map(text => {
    const box = text.getBBox(), turn = text.transform.baseVal.consolidate()?.matrix ?? svg.createSVGMatrix();
    // A line's box is higher than its letters are.
    const [top, bottom] = [box.y + box.height * 0.12, box.y + box.height * 0.94];
    const point = (x, y) => new DOMPoint(x, y).matrixTransform(turn);
    const [left, right] = [box.x, box.x + box.width];
    return {said: text.textContent, corners: [point(left, top), point(right, top), point(right, bottom), point(left, bottom)]};
  });
  words += boxes.length;
  boxes.forEach((box, i) => {
    if (!box.corners.every(p => p.x >= 0 && p.y >= 0 && p.x <= view.width && p.y <= view.height)) {
      found.push(`${svg.dataset.name}: outside: ${box.said}`);
    }
    for (const other of boxes.slice(0, i)) {
      const area = shared(box.corners, other.corners);
      if (area > 1) found.push(`${svg.dataset.name}: ${area.toFixed(1)} px² shared by "${box.said}" and "${other.said}"`);
    }
  });
}
document.body.textContent = `measured ${words} words;${found.map(it => '\n' + it).join('')};end`;
