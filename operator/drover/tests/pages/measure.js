// Runs in a page of the test and never in one of Drover's: each page under test stands in a frame as
// wide as a screen, and is asked what is where. What comes out is data; the test judges it.

// An element that is clipped away on purpose is nowhere.
const isShown = element =>
  element.checkVisibility() && !element.closest('thead')?.matches('[data-hidden]');

function words(root) {
  const walker = root.ownerDocument.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim();
    const parent = node.parentElement;
    if (!text || /^(style|script|title)$/i.test(parent.localName) || !isShown(parent)) continue;
    const range = root.ownerDocument.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      found.push({ text, parent, box, size: parseFloat(getComputedStyle(parent).fontSize) });
  }
  return found;
}

const name = element => {
  const kind = element.getAttribute('class');
  const text = element.textContent.trim().replace(/\s+/g, ' ').slice(0, 40);
  return `${element.localName}${kind ? '.' + kind.trim().replace(/\s+/g, '.') : ''} "${text}"`;
};

function overlapping(words) {
  const found = [];
  const lines = words.toSorted((one, other) => one.box.top - other.box.top);
  lines.forEach((one, position) => {
    for (const other of lines.slice(position + 1)) {
      if (other.box.top >= one.box.bottom) break;
      const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const height = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
      // Boxes of letters are higher than the letters: lines may touch.
      const touch = 0.3 * Math.min(one.box.height, other.box.height);
      if (one.parent !== other.parent && width > 1 && height > touch)
        found.push(`${name(one.parent)} and ${name(other.parent)}`);
    }
  });
  return found;
}

// Letters are told from what is behind them by the contrast of WCAG 2.
function contrast(element) {
  const parts = color => color.match(/[\d.]+/g).map(Number);
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map(each => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  let ground = [255, 255, 255];
  for (; behind; behind = behind.parentElement) {
    const color = parts(getComputedStyle(behind).backgroundColor);
    if (color.length < 4 || color[3] > 0) { ground = color; break; }
  }
  const [one, other] = [light(parts(getComputedStyle(element).color)), light(ground)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

function page(document) {
  const width = document.documentElement.clientWidth;
  for (const head of document.querySelectorAll('thead'))
    if (getComputedStyle(head).position === 'absolute') head.dataset.hidden = '';
  const elements = [...document.body.querySelectorAll('*')].filter(isShown);
  const said = words(document.body);
  return {
    width: document.documentElement.scrollWidth - width,
    beyond: elements.filter(each => {
      const box = each.getBoundingClientRect();
      return box.right > width + 1 || box.left < -1;
    }).map(name),
    clipped: elements.filter(each => getComputedStyle(each).overflowX !== 'visible' &&
      each.textContent.trim() && each.scrollWidth > each.clientWidth + 1).map(name),
    overlapping: overlapping(said),
    small: said.filter(each => each.size < 10).map(each => name(each.parent)),
    faint: said.filter(each => contrast(each.parent) < 4.5).map(each => name(each.parent)),
    outline: [...document.body.querySelectorAll('h1,h2,h3,h4,table,figure,ul,dl')].map(each => {
      const count = selector => each.querySelectorAll(selector).length;
      const texts = selector => [...each.querySelectorAll(selector)].map(one => one.textContent);
      switch (each.localName) {
        case 'table': return `  table ${texts('th').join(' | ')}: ${count('tbody tr')} rows`;
        case 'figure': return `  timeline of ${texts('.name').join(', ')}: ${count('.track i')} bars, ` +
          texts('.key').join(', ');
        case 'ul': return `  list of ${count('li')}`;
        case 'dl': return `  ${each.className}: ${texts('dt').join(', ')}`;
        default: return `${each.localName} ${each.textContent}`;
      }
    }),
  };
}

// A picture: its letters lie inside of it, and on nothing else that is written.
function picture(document) {
  const svg = document.querySelector('svg');
  const [whole, said] = [svg.getBoundingClientRect(), words(svg)];
  return {
    width: 0, clipped: [], small: said.filter(each => each.size < 9).map(each => name(each.parent)),
    beyond: said.filter(({ box }) => box.left < whole.left - 1 || box.right > whole.right + 1 ||
      box.top < whole.top - 1 || box.bottom > whole.bottom + 1).map(each => name(each.parent)),
    overlapping: overlapping(said),
    faint: [],
    outline: said.map(each => each.text).filter((each, at, all) => all.indexOf(each) === at),
  };
}

addEventListener('load', () => {
  const frames = [...document.querySelectorAll('iframe')];
  const measured = frames.map(frame => {
    const inner = frame.contentDocument;
    const found = inner.querySelector('body > svg') ? picture(inner) : page(inner);
    return { page: frame.name, at: frame.width, ...found };
  });
  const out = document.createElement('script');
  out.type = 'application/json';
  out.id = 'measured';
  out.textContent = JSON.stringify(measured).replaceAll('<', '\\u003c');
  document.body.replaceChildren(out);
});
